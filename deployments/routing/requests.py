"""Requests for a replica: what goes along with a task, and how a replica refuses one."""

from dataclasses import dataclass, replace
from enum import StrEnum

from deployments.routing.durations import Files, Need


class Claim(StrEnum):
    """Claim on the replica to which a router sends a task."""

    HAS = "has"
    """Claim that it has the files."""
    IDLE = "idle"
    """Claim that it has nothing to do, and can load the files."""
    NEXT = "next"
    """Claim that the task is next: it loads the files, whatever it has to do before."""


@dataclass(frozen=True)
class Refusal:
    """Refusal of a task, and what its replica has and does instead."""

    replica: str
    files: Files
    """Files that it has, or will have when it begins the last task that it was given."""
    changes: int
    """Count of its changes of files."""
    runs: int
    """Tasks that it has, whoever gave them; one where it is kept for those that follow."""


@dataclass(frozen=True)
class RoutingRequest:
    """Request for a replica, as it goes along with a task from the handle to the replica."""

    key: str
    """Name that the task keeps however often it is sent."""
    need: Need
    router: str = ""
    """Name of the router that chose the replica."""
    claim: Claim | None = None
    """Claim on it; None: it was chosen by a router that knows of no files, and takes all."""
    is_followed: bool = False
    """Flag: tasks that need the same files wait at that router."""
    refusal: Refusal | None = None
    """Refusal for which the task is sent again."""
    refusals: int = 0
    """Number of refusals so far."""

    def refused(self, refusal: Refusal) -> "RoutingRequest":
        """Return the request for the next try."""
        return replace(self, claim=None, refusal=refusal, refusals=self.refusals + 1)
