"""Stalls: seconds in which no GPU worked while tasks waited, and those after an outage's end.

Pure; moments are seconds since 1970.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.chaos.json_lines import json_lines


@dataclass(frozen=True, order=True)
class Span:
    """Time from a begin to an end."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True)
class GpuWork:
    """Time for which a simulated GPU was held, and the id of the task."""

    task: str
    span: Span


def read_gpu_log(path: Path) -> Sequence[GpuWork]:
    """Read the work of all GPUs from their log, in the order of its begin."""
    told = (line for line in json_lines(path) if "task" in line)
    work = (GpuWork(one["task"], Span(one["start"], one["end"])) for one in told)
    return sorted(work, key=lambda each: each.span)


def stalls(work: Iterable[Span], waiting: Iterable[Span]) -> Sequence[Span]:
    """Find when no GPU worked although a task waited for all of that time, the longest first.

    ``waiting``: of each task the time from its acceptance to its end.
    """
    gaps = list(_gaps(sorted(work)))
    found = list(_while_waited(gaps, sorted(waiting)))
    return sorted(found, key=lambda span: span.seconds, reverse=True)


def _gaps(work: Sequence[Span]) -> Iterator[Span]:
    """Yield the times between pieces of work, which may overlap."""
    end = work[0].end if work else 0.0
    for piece in work:
        if piece.begin > end:
            yield Span(end, piece.begin)
        end = max(end, piece.end)


def _while_waited(gaps: Sequence[Span], waiting: Sequence[Span]) -> Iterator[Span]:
    """Yield of each gap the part from which on a task waited until the gap's end."""
    for gap in gaps:
        there = [each.begin for each in waiting if each.begin < gap.end <= each.end]
        if there:
            yield Span(max(gap.begin, min(there)), gap.end)


def after_outages(
    outages: Iterable[Span], work: Sequence[Span], waiting: Sequence[Span]
) -> Sequence[Span]:
    """Find for each outage how long after its end no GPU began anything although tasks waited."""
    begins = sorted(piece.begin for piece in work)
    found = []
    for outage in outages:
        number = bisect_left(begins, outage.end)
        waits = [each for each in waiting if each.begin < outage.end < each.end]
        if waits and number < len(begins):
            found.append(Span(outage.end, begins[number]))
    return sorted(found, key=lambda span: span.seconds, reverse=True)


def merged(spans: Iterable[Span]) -> Sequence[Span]:
    """Join spans that touch or overlap."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.begin <= joined[-1].end:
            joined[-1] = Span(joined[-1].begin, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def apart(spans: Iterable[Span], others: Sequence[Span], seconds: float) -> Sequence[Span]:
    """Leave out those that are less than so many seconds from any of the others."""
    return [
        span
        for span in spans
        if not any(
            span.begin - seconds < other.end and other.begin < span.end + seconds
            for other in others
        )
    ]


def longest(spans: Sequence[Span]) -> float:
    """Return the seconds of the longest; 0 where there is none."""
    return max((span.seconds for span in spans), default=0.0)
