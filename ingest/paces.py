"""Paces of runtimes: how many tasks each has in hand, and how long one takes."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from models.ports import Pace
from models.report import Report, Status

_NEWEST_WEIGHT = 0.2
"""Weight of the newest task in the moving average of seconds."""


class Paces:
    """Counts the tasks of each runtime, and averages the time that completed ones took."""

    def __init__(self) -> None:
        self._runtimes: dict[str, _Runtime] = defaultdict(_Runtime)

    @contextmanager
    def leased(self, runtime: str) -> Iterator[None]:
        """Count a task as leased while the block runs."""
        counts = self._runtimes[runtime]
        counts.leased += 1
        try:
            yield
        finally:
            counts.leased -= 1

    @contextmanager
    def running(self, runtime: str) -> Iterator[None]:
        """Count a task as running while the block runs."""
        counts = self._runtimes[runtime]
        counts.running += 1
        try:
            yield
        finally:
            counts.running -= 1

    def add(self, report: Report) -> None:
        """Take a replica's report into account; only completed tasks count."""
        if report.status is Status.COMPLETED:
            self._runtimes[report.runtime].add(report)

    def now(self) -> Mapping[str, Pace]:
        """Paces by the name of the runtime; a runtime that had no task yet is missing."""
        return {name: runtime.pace() for name, runtime in self._runtimes.items()}


@dataclass
class _Runtime:
    leased: int = 0
    running: int = 0
    seconds: float | None = None
    """Moving average of the time for which a task held the GPU; None before the first."""
    checkpoints: dict[str, str] = field(default_factory=dict)
    """Newest checkpoint that each replica ran with."""

    def add(self, report: Report) -> None:
        took = sum(report.seconds.get(stage, 0) for stage in ("load", "run"))
        old = took if self.seconds is None else self.seconds
        self.seconds = old + _NEWEST_WEIGHT * (took - old)
        if report.replica and report.checkpoint:
            self.checkpoints[report.replica] = report.checkpoint

    def pace(self) -> Pace:
        return Pace(
            leased=self.leased,
            running=self.running,
            seconds=self.seconds,
            checkpoints=tuple(sorted(set(self.checkpoints.values()))),
        )
