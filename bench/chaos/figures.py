"""Figures of a run, and the stories of the promises that were broken."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.chaos.audit import Fault, Observed, Tally, Violation
from bench.chaos.director import Happening
from bench.chaos.stalls import GpuWork, Span, after_outages, apart, longest, merged, stalls
from bench.chaos.story import Story
from bench.chaos.timetable import RULES, Mishap

_AWAY = Mishap.OUTAGE
_ENDS_ALL = (Mishap.KILL_ALL_REPLICAS, Mishap.REDEPLOY)
_APART_SECONDS = 40.0
"""Seconds for which such a mishap may be why no GPU works: replicas start anew."""
_SHOWN = 5
"""Broken promises of a kind whose stories are printed."""
_NEAR_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Figures of a run; times are in seconds."""

    tally: Tally
    seconds: float
    """Seconds from the first submission to the last end."""
    per_second: float
    mishaps: Mapping[str, int]
    calls_met: Mapping[str, int]
    """Calls of AWS by the fault that they met."""
    violations: Mapping[str, int]
    longest_stall: float
    """Longest time without any GPU at work while a task waited."""
    outages: int
    """Outages after which work could go on at once: none that are near a mishap that ends all
    replicas, after which one has to start anew."""
    longest_after_outage: float
    """Longest time from the end of such an outage to the next task on a GPU."""
    http_away: Sequence[Span]
    """Times from a request that failed to the next good answer."""
    http_failures: int


def figures(
    stories: Sequence[Story],
    tally: Tally,
    violations: Sequence[Violation],
    *,
    work: Sequence[GpuWork],
    told_at: Mapping[str, float],
    happenings: Sequence[Happening],
    calls: Mapping[str, int],
    http_away: Sequence[Span],
    http_failures: int,
) -> Figures:
    """Reckon the figures of a run."""
    waiting = waits(stories, told_at)
    spans = [each.span for each in work]
    outages = _outages(happenings)
    begin = min((each.begin for each in waiting), default=0.0)
    seconds = max((each.end for each in waiting), default=begin) - begin
    return Figures(
        tally=tally,
        seconds=round(seconds, 1),
        per_second=round(len(waiting) / seconds, 2) if seconds else 0,
        mishaps=dict(Counter(each.mishap.value for each in happenings)),
        calls_met=_by_fault(calls),
        violations=dict(Counter(each.fault.value for each in violations)),
        longest_stall=round(longest(stalls(spans, waiting)), 2),
        outages=len(outages),
        longest_after_outage=round(longest(after_outages(outages, spans, waiting)), 2),
        http_away=http_away,
        http_failures=http_failures,
    )


def _outages(happenings: Sequence[Happening]) -> Sequence[Span]:
    """Return the times in which AWS was away, from one end of its faults to the other.

    An outage that goes over into another fault of AWS ends with that. Left out are those that are
    near a mishap which ends all replicas.
    """
    spans = {
        mishap: [Span(each.begin, each.end) for each in happenings if each.mishap is mishap]
        for mishap in Mishap
    }
    of_aws = merged(span for mishap in (Mishap.OUTAGE, *RULES) for span in spans[mishap])
    away = [
        span for span in of_aws if any(span.begin <= one.begin <= span.end for one in spans[_AWAY])
    ]
    ending = [span for mishap in _ENDS_ALL for span in spans[mishap]]
    return apart(away, ending, _APART_SECONDS)


def waits(stories: Sequence[Story], told_at: Mapping[str, float]) -> Sequence[Span]:
    """Return of each task that was told of the time from its acceptance to its notification."""
    return [
        Span(story.accepted_at, told_at[story.plan.id])
        for story in stories
        if story.accepted and story.plan.id in told_at
    ]


def rows(found: Figures) -> list[tuple[str, Any]]:
    """Write the lines of the table."""
    told = asdict(found.tally)
    plain = {
        "seconds": found.seconds,
        "tasks a second": found.per_second,
        "longest stall, s": found.longest_stall,
        f"longest past the end of {found.outages} outages, s": found.longest_after_outage,
        "HTTP away, longest, s": round(longest(found.http_away), 2),
        "HTTP requests that failed": found.http_failures,
    }
    return [
        *((name.replace("_", " "), _plain(value)) for name, value in told.items()),
        *plain.items(),
        *((f"mishap: {name}", count) for name, count in sorted(found.mishaps.items())),
        *((f"AWS calls {name}", count) for name, count in sorted(found.calls_met.items())),
        *((f"broken: {fault.value}", found.violations.get(fault.value, 0)) for fault in Fault),
    ]


def accounts(
    violations: Sequence[Violation],
    stories: Sequence[Story],
    observed: Observed,
    happenings: Sequence[Happening],
) -> list[dict[str, Any]]:
    """Write what is known of each broken promise, for who is to find the cause."""
    by_id = {story.plan.id: story for story in stories}
    return [_account(each, by_id.get(each.id), observed, happenings) for each in violations]


def _account(
    violation: Violation,
    story: Story | None,
    observed: Observed,
    happenings: Sequence[Happening],
) -> dict[str, Any]:
    told = asdict(violation)
    if story is None:
        return told
    rows = observed.rows.get(story.plan.id, ())
    end = max((row.updated for row in rows), default=story.accepted_at)
    near = [
        asdict(each)
        for each in happenings
        if each.begin < end + _NEAR_SECONDS and each.end > story.accepted_at - _NEAR_SECONDS
    ]
    return told | {
        "plan": asdict(story.plan) | {"text": story.plan.text and story.plan.text[:200]},
        "accepted_at": story.accepted_at,
        "story": story.lines,
        "rows": [asdict(row) for row in rows],
        "notifications": [
            body for row in rows for body in observed.notifications.get(row.submission, ())
        ],
        "starts": observed.starts.get(story.plan.id, 0),
        "mishaps": near,
    }


def shown(accounts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write the lines about the first broken promises of each kind."""
    by_fault: Counter[str] = Counter()
    lines = []
    for account in accounts:
        by_fault[account["fault"]] += 1
        if by_fault[account["fault"]] <= _SHOWN:
            lines.append(f"{account['fault']}: {account['id']}: {account['why']}")
            lines += [f"    {line}" for line in account.get("story", ())]
    return lines


def _by_fault(calls: Mapping[str, int]) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for call, count in calls.items():
        _, _, fault = call.split(" ", 2)
        found[fault] += count
    return dict(found)


def _plain(value: Any) -> Any:
    """Write counts by name as words."""
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in sorted(value.items())) or "none"
    return value
