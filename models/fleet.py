"""Fleet: what a runtime's queue asks for, and what its replicas are; between ingest and the policy.

Ingest measures a `Demand`, the scaling policy answers with a `Supply`. Either is sent whole each
time, so whoever reads the newest one knows all.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_IDLE_WEIGHT = 0.01
"""Weight of an average with no task behind it, beside 1 for each task of another."""
LIMIT_REACHED = "limit reached"
"""Words in a supply's reason where more replicas were wanted than the settings allow."""


class StartPhase(StrEnum):
    """Phase of a replica's start, in the words that people are told."""

    NODE = "waiting for a node"
    REPLICA = "starting a replica"


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Demand on one runtime, as ingest measured it."""

    waiting: int
    """Tasks that no replica has begun: those visible in the queue, and those leased and judged."""
    visible: int = 0
    """Waiting tasks that are visible in the queue, to every ingest replica alike."""
    running: int
    """Tasks that a replica has begun: they have its GPU, or load a checkpoint onto it."""
    oldest_seconds: float = 0
    """Age of the oldest waiting task that ingest knows, in seconds since it was sent."""
    seconds: float | None = None
    """GPU seconds that a waiting task takes, loading left out: moving averages of each checkpoint,
    weighted by the tasks that ask for it; None before any task has ended."""
    load_seconds: float | None = None
    """Seconds that a checkpoint takes to load: a moving average; None before any was loaded."""
    load_share: float = 0
    """Share, from 0 to 1, of the tasks begun lately for which a replica changed its checkpoint; the
    first that a replica loads is none of them, since it belongs to its start."""
    is_known: bool = True
    """Flag: counts all tasks that there are; False where leases may hide some in the queue, so that
    the counts are the last that were known, or none."""
    is_draining: bool = False
    """Flag: counts only what a replica has begun for an ingest replica that leases no more."""
    beat: int = 0
    """Count of the measurements so far; a beat that stands still means that nobody measures."""

    @property
    def sees_queue(self) -> bool:
        """Flag: what is visible in the queue is as it was measured just now."""
        return self.is_known and not self.is_draining

    @property
    def tasks(self) -> int:
        """Number of tasks, waiting or running."""
        return self.waiting + self.running

    @property
    def leased(self) -> int:
        """Number of tasks that whoever measured has in hand."""
        return self.tasks - self.visible


@dataclass(frozen=True, kw_only=True)
class Supply:
    """Replicas of one runtime, as Serve's controller has them, and what the policy wants."""

    wanted: int
    """Replicas that the policy wants now, within the bounds of the settings."""
    ingests: tuple[str, ...] = ()
    """Names of the ingest replicas that measure now, sorted: each leases its share."""
    running: tuple[str, ...] = ()
    """Names of the replicas that take tasks, sorted."""
    starting: int = 0
    """Replicas that are wanted and do not run yet."""
    starting_seconds: float = 0
    """Whole seconds for which the first of those that start has been wanted."""
    start_seconds: float | None = None
    """Seconds from wanting a replica to its running: a moving average; None before the first."""
    reason: str = ""
    """Reason for the number wanted, in words that a person understands."""
    obstacle: str | None = None
    """Reason why a start takes long, in words; None where nothing is known to be in its way."""
    phase: StartPhase | None = None
    """Phase of the start that is furthest, while some replica starts."""
    never_started: bool = False
    """Flag: replicas were wanted, and none has run since Serve knows the runtime."""
    beat: int = 0
    """Count of the decisions so far; a beat that stands still means that nobody decides."""


def merged(demands: Iterable[Demand]) -> Demand | None:
    """Add up what several ingest replicas measured of one runtime; None of none.

    What is visible in the queue is the same for all, so the least of what they saw counts: who has
    room receives it. Averages are weighted by the tasks that each has in hand. All tasks are known
    where any of them measures the queue.
    """
    parts = list(demands)
    if not parts:
        return None
    seeing = [part for part in parts if part.sees_queue]
    visible = min(part.visible for part in seeing or parts)
    return Demand(
        waiting=visible + sum(part.waiting - part.visible for part in parts),
        visible=visible,
        running=sum(part.running for part in parts),
        oldest_seconds=max(part.oldest_seconds for part in parts),
        seconds=weighted_mean((part.seconds, part.leased) for part in parts),
        load_seconds=weighted_mean((part.load_seconds, part.leased) for part in parts),
        load_share=weighted_mean((part.load_share, part.leased) for part in parts) or 0.0,
        is_known=bool(seeing),
        beat=sum(part.beat for part in parts),
    )


def weighted_mean(values: Iterable[tuple[float | None, int]]) -> float | None:
    """Average the values that are known, each with the count of tasks behind it; None of none.

    A value with no task behind it counts a little: it may be all that is known.
    """
    known = [(value, count or _IDLE_WEIGHT) for value, count in values if value is not None]
    weights = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / weights if known else None
