"""Requests for a replica: what goes along with a task, and how a replica refuses one."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
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


class Answer:
    """Answer to a request, as its handle reads it: known to be a refusal or not, some time.

    Serve tells a router the end of a call before the handle reads that the task was refused, and
    the router would take it for one that ran.
    """

    def __init__(self) -> None:
        self._is_run = False
        self._call: Callable[[], object] | None = None

    def note_run(self) -> None:
        """Note that the task was not refused, or that nobody waits for it any more."""
        self._is_run = True
        self._tell()

    def when_run(self, call: Callable[[], object]) -> None:
        """Let a function be called once the task is known not to be refused."""
        self._call = call
        self._tell()

    def _tell(self) -> None:
        if self._is_run and (call := self._call):
            self._call = None
            call()

    def __reduce__(self) -> tuple[type["Answer"], tuple[()]]:
        return Answer, ()  # to a replica goes none of it


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
    answer: Answer | None = field(default=None, compare=False)
    """Answer to it, as whoever sends it reads it; None: Serve alone tells when it has ended."""

    def refused(self, refusal: Refusal, answer: Answer | None = None) -> "RoutingRequest":
        """Return the request for the next try, whose answer is read by itself."""
        refusals = self.refusals + 1
        return replace(self, claim=None, refusal=refusal, refusals=refusals, answer=answer)
