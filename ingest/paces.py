"""Paces of runtimes: the tasks that each has in hand, what they ask for, and how long one takes."""

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from statistics import fmean

from models.fleet import Demand, Supply
from models.live import Loaded, Pace
from models.report import Report, Status

_NEWEST_WEIGHT = 0.2
"""Weight of the newest task in a moving average."""
_LOADED_SECONDS = 0.05
"""Seconds from which on the stage ``load`` has loaded something."""
_CHECKPOINTS_KEPT = 1_000
"""Checkpoints whose seconds are remembered: clients may ask for any name."""


class HoldState(Enum):
    """State of a held task on its way."""

    LEASED = auto()
    """Held, and no replica is asked: it is not judged yet, or its run is over."""
    WAITING = auto()
    RUNNING = auto()


class Average:
    """Moving average; its value is None before the first number, unless it begins with one."""

    def __init__(self, value: float | None = None) -> None:
        self.value = value

    def add(self, newest: float) -> None:
        """Take in a number, which has the weight 0.2."""
        old = newest if self.value is None else self.value
        self.value = old + _NEWEST_WEIGHT * (newest - old)


@dataclass(eq=False)
class Hold:
    """Hold of a task in the counts of its runtime."""

    pace: "RuntimePace"
    since: float
    """Time of sending, or of the lease if that is not known."""
    state: HoldState = HoldState.LEASED
    checkpoint: str | None = None
    """Checkpoint that the task asks for, as the task spells it."""
    has_begun: bool = False
    """Flag: the task has the GPU, or had it."""

    @contextmanager
    def waiting(self, checkpoint: str | None) -> Iterator[None]:
        """Count the task as one that asks for a replica while the block runs."""
        self.checkpoint = checkpoint
        self._move(HoldState.WAITING)
        try:
            yield
        finally:
            self._move(HoldState.LEASED)

    def begin(self) -> None:
        """Count the task as running: it has the GPU."""
        self.has_begun = True
        self._move(HoldState.RUNNING)

    def add(self, report: Report) -> None:
        """Take the report of a replica into the averages; only completed tasks count."""
        if report.status is Status.COMPLETED:
            self.pace.add(report, self.checkpoint)

    def _move(self, state: HoldState) -> None:
        self.state = state
        self.pace.changed.set()


class RuntimePace:
    """Pace of one runtime; ``clock`` is the wall clock, by which messages were sent."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.changed = asyncio.Event()
        """Set where the tasks in hand have changed; whoever measures clears it."""
        self.demand: Demand | None = None
        self.supply: Supply | None = None
        self._held: set[Hold] = set()
        self._taken, self._run = Average(), Average()
        self._load, self._load_share = Average(), Average(0.0)
        self._run_by_checkpoint: OrderedDict[str | None, Average] = OrderedDict()
        """Averages by the name that was asked for, the one of the newest task last."""
        self._loaded: dict[str, Loaded] = {}
        """Newest checkpoint that each replica ran with."""

    @contextmanager
    def holding(self, sent: float) -> Iterator[Hold]:
        """Count a task as leased while the block runs."""
        hold = Hold(self, sent or self.clock())
        self._held.add(hold)
        try:
            yield hold
        finally:
            self._held.remove(hold)

    def add(self, report: Report, checkpoint: str | None) -> None:
        """Take the report of a task into account that asked for this checkpoint."""
        load, run = (report.seconds.get(stage, 0.0) for stage in ("load", "run"))
        self._taken.add(load + run)
        self._run.add(run)
        self._run_by_checkpoint.setdefault(checkpoint, Average()).add(run)
        self._run_by_checkpoint.move_to_end(checkpoint)
        if len(self._run_by_checkpoint) > _CHECKPOINTS_KEPT:
            self._run_by_checkpoint.popitem(last=False)
        if report.replica in self._loaded:  # else it is the replica's first, part of its start
            self._load_share.add(float(load > _LOADED_SECONDS))
        if load > _LOADED_SECONDS:
            self._load.add(load)
        if report.replica and report.checkpoint:
            loaded = Loaded(checkpoint=report.checkpoint, at=self.clock())
            self._loaded[report.replica] = loaded

    def recall(self, demand: Demand | None) -> None:
        """Let the averages go on from those that another ingest measured last, if it did."""
        if demand is not None and self._run.value is None:
            self._run, self._load = Average(demand.seconds), Average(demand.load_seconds)
            self._load_share = Average(demand.load_share)

    @property
    def tasks(self) -> int:
        """Number of tasks that ask for a replica or have one: those that were not refused."""
        return len(self._in(HoldState.WAITING)) + len(self._in(HoldState.RUNNING))

    @property
    def holds(self) -> bool:
        """Flag: some task is held, whatever its state."""
        return bool(self._held)

    def measure(self, backlog: int) -> Demand:
        """Measure the demand, with so many tasks in the queue; each time with another beat."""
        waiting, now = self._in(HoldState.WAITING), self.clock()
        oldest = min((hold.since for hold in waiting), default=now)
        self.demand = Demand(
            waiting=backlog + len(waiting),
            visible=backlog,
            running=len(self._in(HoldState.RUNNING)),
            oldest_seconds=max(0.0, now - oldest),
            seconds=self._seconds_of(waiting),
            load_seconds=self._load.value,
            load_share=self._load_share.value or 0.0,
            beat=self.demand.beat + 1 if self.demand else 1,
        )
        return self.demand

    def take(self, supply: Supply) -> None:
        """Keep the newest supply, and forget the checkpoints of replicas that are gone."""
        self.supply = supply
        for gone in self._loaded.keys() - set(supply.running):
            del self._loaded[gone]

    def now(self) -> Pace:
        """Return the pace as it is now."""
        return Pace(
            leased=len(self._held),
            running=len(self._in(HoldState.RUNNING)),
            seconds=self._taken.value,
            loaded=dict(self._loaded),
            demand=self.demand,
            supply=self.supply,
        )

    def _in(self, state: HoldState) -> list[Hold]:
        return [hold for hold in self._held if hold.state is state]

    def _seconds_of(self, waiting: list[Hold]) -> float | None:
        """Average the seconds of the tasks that wait, each by its checkpoint, if that is known."""
        averages = [self._run_by_checkpoint.get(hold.checkpoint, self._run) for hold in waiting]
        values = [each.value for each in averages or [self._run] if each.value is not None]
        return fmean(values) if values else None


class Paces:
    """Paces by the name of the runtime."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._runtimes: dict[str, RuntimePace] = defaultdict(lambda: RuntimePace(clock))

    def of(self, runtime: str) -> RuntimePace:
        """Return the pace of a runtime, made at the first question."""
        return self._runtimes[runtime]

    def now(self) -> Mapping[str, Pace]:
        """Return all paces; a runtime that nobody has asked for is missing."""
        return {name: pace.now() for name, pace in self._runtimes.items()}
