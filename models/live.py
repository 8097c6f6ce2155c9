"""Ports to what is so now, beyond the ledger: a runtime's pace and fleet, and submissions' events.

Verbs raise `Unavailable` where the other side does not answer in time.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass

from models.event import Event
from models.fleet import Demand, Supply
from models.report import Report


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Checkpoint that a replica ran with."""

    checkpoint: str
    at: float
    """Moment at which its report came, in seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Load of a runtime now, and how fast it works it off."""

    leased: int
    """Tasks that ingest has received and not ended."""
    running: int
    """Leased tasks that have a GPU."""
    seconds: float | None
    """GPU time of a task: a moving average in which the newest has the weight 0.2; None at first.

    Loading of a checkpoint counts, waiting for the GPU does not.
    """
    loaded: Mapping[str, Loaded]
    """Newest checkpoint that each replica ran with, by the replica's name."""
    demand: Demand | None = None
    """Newest measurement of what the queue asks for; None where none is made."""
    supply: Supply | None = None
    """Newest answer of the scaling policy; None before the first."""

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """List the checkpoints that replicas have which run, sorted: one of each at most."""
        running = self.loaded.keys() if self.supply is None else set(self.supply.running)
        return tuple(
            sorted({self.loaded[name].checkpoint for name in self.loaded.keys() & running})
        )


class FleetStore(ABC):
    """Newest demands and supply of each runtime, by which ingest and the scaling policy meet.

    Each ingest replica has a demand of its own there, under its name. A call takes 2 seconds at
    most, then `Unavailable` is raised.
    """

    @abstractmethod
    async def write_demand(self, runtime: str, ingest: str, demand: Demand) -> None:
        """Put a demand in the place of the last one by this ingest replica."""

    @abstractmethod
    async def demands(self, runtime: str) -> Mapping[str, Demand]:
        """Read the newest demand by each ingest replica that has not dropped its own."""

    @abstractmethod
    async def drop_demand(self, runtime: str, ingest: str) -> None:
        """Forget the demand by an ingest replica that measures no more."""

    @abstractmethod
    async def write_supply(self, runtime: str, supply: Supply) -> None:
        """Put a supply in the place of the runtime's last one."""

    @abstractmethod
    async def supply(self, runtime: str) -> Supply | None:
        """Read the newest supply; None before the first."""


class Live(ABC):
    """Port to what one ingest replica knows beyond the ledger.

    On Ray an answer takes 5 seconds at most, then `Unavailable` is raised.
    """

    @abstractmethod
    def follow(self, follower: str) -> AsyncGenerator[Sequence[Event], None]:
        """Subscribe under a name; yield the events of the submissions that it watches.

        The first yield is empty and confirms the subscription. The stream ends, or raises
        `Unavailable`, when ingest goes.
        """

    @abstractmethod
    async def watch(
        self, follower: str, more: Sequence[str], no_more: Sequence[str]
    ) -> Mapping[str, Sequence[Event]] | None:
        """Let a follower hear of more submissions from now on, and of others no more.

        Return the events of the snapshot of each of ``more``, by submission; None if there is no
        follower of this name (any more).
        """

    @abstractmethod
    async def stop(self, report: Report) -> None:
        """Stop the runs of a task that ended so."""

    @abstractmethod
    async def paces(self) -> Mapping[str, Pace]:
        """Read the paces of the runtimes that ingest works for, by name."""


class Ingests(ABC):
    """Ports to the ingest replicas; each knows of the tasks that it has leased."""

    @property
    @abstractmethod
    def there(self) -> Mapping[str, Live]:
        """Ports to those that run now or drain, by name.

        Each is missing for a moment when it begins to drain, and comes back under another name.
        """

    @abstractmethod
    async def change(self, known: Collection[str]) -> None:
        """Wait, without a deadline, until the names of those that are there are not the known."""

    async def look(self) -> None:
        """Look for those that began to drain a moment ago; takes some seconds at most."""
