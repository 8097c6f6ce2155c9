"""Audit of a run: what the platform promised to each submission, held to what is found at its end.

Pure: it knows no platform, and reads no clock.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bench.chaos.plan import Fate, Way
from bench.chaos.story import Story
from models.report import Report, Status

Body = Mapping[str, Any]


class Fault(StrEnum):
    """Promise that was broken."""

    LOST = "lost"
    """An accepted submission has no end in the ledger."""
    UNTOLD = "untold"
    """A submission that ended has no notification."""
    STUCK = "stuck"
    """A row is queued or running at the end."""
    LEFT = "left in a queue"
    WRONGLY_FAILED = "wrongly failed"
    """A task that every runtime can draw has failed or is among the dead letters."""
    WRONGLY_ENDED = "wrongly ended"
    """A task has another end than its content or its cancel asks for."""
    TWICE = "twice"
    """Two submissions of one idempotency key, or of copies of one message."""
    CONTRADICTED = "contradicted"
    """Two notifications of a submission differ, or one says something else than the ledger."""
    UNREADABLE = "unreadable"
    """An artifact of a completed task is missing or holds something else."""
    ORPHAN = "orphan"
    """An object is left that no completed or failed submission names, and nobody said so."""
    UNCALLED = "uncalled"
    """The callback of a submission that ended was not told what the notification says."""
    ATTEMPTS = "too many attempts"


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Findings at the end of a run."""

    rows: Mapping[str, Sequence[Report]]
    """Rows of the ledger by the id of their task."""
    notifications: Mapping[str, Sequence[Body]]
    """Notifications by submission, in the order in which they came."""
    calls: Mapping[str, Sequence[Body]]
    """Data of the callback calls by submission, whose signatures were right."""
    dead_letters: Sequence[str]
    """Bodies of the messages in the dead letters, and of those that nobody routes."""
    objects: AbstractSet[str]
    """``s3://`` URIs of all objects in the folder of the tasks."""
    unreadable: AbstractSet[str]
    """URIs of those that hold something else than their task names."""
    said_left: AbstractSet[str] = frozenset()
    """Beginnings of the URIs that the platform's log says could not be removed."""
    left: Mapping[str, int] = field(default_factory=dict)
    """Messages that are left in queues, by the queue's name."""
    starts: Mapping[str, int] = field(default_factory=dict)
    """Times that a simulated GPU was held for a task, by its id."""
    kills: Sequence[float] = ()
    """Moments at which replicas of a runtime were killed, in seconds since 1970."""
    max_attempts: int = 3


@dataclass(frozen=True, kw_only=True)
class Violation:
    """Broken promise: of which submission, and why it is thought so."""

    fault: Fault
    id: str
    """Id of the task; of an orphan the URI, of a queue its name."""
    why: str


def audit(stories: Sequence[Story], observed: Observed) -> Sequence[Violation]:
    """Find every broken promise."""
    of_each = [found for story in stories for found in _of_story(story, observed)]
    queues = [
        Violation(fault=Fault.LEFT, id=name, why=f"{count} messages")
        for name, count in observed.left.items()
        if count
    ]
    return [*of_each, *_orphans(observed), *queues]


def _of_story(story: Story, observed: Observed) -> Iterator[Violation]:
    plan = story.plan
    rows = observed.rows.get(plan.id, ())
    dead = any(plan.id in body for body in observed.dead_letters)

    def broken(fault: Fault, why: str) -> Violation:
        return Violation(fault=fault, id=plan.id, why=why)

    if story.accepted and not any(row.ended for row in rows):
        if dead and plan.fate is Fate.REFUSED:
            return
        if dead:
            yield broken(Fault.WRONGLY_FAILED, "it is among the dead letters")
        elif not rows:
            yield broken(Fault.LOST, "it has no row, and is no dead letter")
    if len(rows) > _allowed(story) or len(story.submissions) > 1:
        found = sorted({row.submission for row in rows} | story.submissions)
        yield broken(Fault.TWICE, f"submissions {', '.join(found)}")
    for row in rows:
        for fault, why in _of_row(row, story, observed):
            yield broken(fault, f"{row.submission}: {why}")


def _allowed(story: Story) -> int:
    """Submissions that a plan may lead to: by the dialects each try is another one."""
    return story.tries if story.plan.way is Way.DIALECT else 1


def _of_row(row: Report, story: Story, observed: Observed) -> Iterator[tuple[Fault, str]]:
    if not row.ended:
        yield Fault.STUCK, f"it is {row.status} at attempt {row.attempt}"
        return
    yield from _of_end(row, story, observed)
    told = observed.notifications.get(row.submission, ())
    if not told:
        yield Fault.UNTOLD, f"it is {row.status}, and nobody was told"
    if any(body != told[0] for body in told):
        yield Fault.CONTRADICTED, f"its notifications differ: {list(told)}"
    elif told and not _agrees(told[0], row):
        yield Fault.CONTRADICTED, f"the ledger says {row.status}, the notification {told[0]}"
    called = observed.calls.get(row.submission, ())
    if story.plan.callback and (not called or any(body != told[0] for body in called if told)):
        yield Fault.UNCALLED, f"its callback was told {list(called)}"
    if row.attempt > observed.max_attempts:
        yield Fault.ATTEMPTS, f"it had {row.attempt} attempts"


def _of_end(row: Report, story: Story, observed: Observed) -> Iterator[tuple[Fault, str]]:
    plan, why = story.plan, row.failure and f"{row.failure.kind}: {row.failure.message}"
    match row.status, plan.fate:
        case Status.COMPLETED, Fate.COMPLETED | Fate.CANCELLED:
            if story.cancelled:
                yield Fault.WRONGLY_ENDED, "it completed, and its cancel was granted"
            yield from _of_objects(row, observed)
        case (Status.CANCELLED, Fate.CANCELLED) | (Status.FAILED, Fate.FAILED | Fate.REFUSED):
            pass
        case Status.FAILED, _:
            if not _lost_its_runtimes(row, story, observed):
                yield Fault.WRONGLY_FAILED, f"attempt {row.attempt}: {why}"
        case status, fate:
            yield Fault.WRONGLY_ENDED, f"it is {status}, not {fate}"


def _of_objects(row: Report, observed: Observed) -> Iterator[tuple[Fault, str]]:
    names = {*row.artifacts, *([row.output] if row.output else [])}
    if missing := names - observed.objects:
        yield Fault.UNREADABLE, f"missing: {', '.join(sorted(missing))}"
    elif not row.artifacts or not row.output:
        yield Fault.UNREADABLE, "it completed without an artifact or its output"
    if wrong := names & observed.unreadable:
        yield Fault.UNREADABLE, f"not what the task names: {', '.join(sorted(wrong))}"


def _lost_its_runtimes(row: Report, story: Story, observed: Observed) -> bool:
    """Tell whether replicas were killed so often in a task's life that each attempt may be one."""
    lost = row.failure is not None and row.failure.kind == "RuntimeUnavailable"
    kills = sum(story.accepted_at < at < row.updated for at in observed.kills)
    return lost and kills >= row.attempt >= observed.max_attempts


def _agrees(told: Body, row: Report) -> bool:
    return (
        told.get("status") == row.status.value
        and told.get("id") == row.id
        and tuple(told.get("image_url", ())) == row.artifacts
        and told.get("output_url") == row.output
    )


def _orphans(observed: Observed) -> Iterator[Violation]:
    rows = [row for each in observed.rows.values() for row in each]
    named = {uri for row in rows for uri in (*row.artifacts, row.output)}
    for uri in sorted(observed.objects - named):
        if any(uri.startswith(stem) for stem in observed.said_left):
            continue
        owner = next((row for row in rows if f"/{row.id}/" in uri), None)
        state = f"its task is {owner.status}" if owner else "it belongs to no task"
        yield Violation(fault=Fault.ORPHAN, id=uri, why=state)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Counts of a run that break no promise."""

    accepted: int
    never_accepted: int
    ends: Mapping[str, int]
    """Rows of the ledger by their status."""
    told_once: int
    told_again: int
    """Submissions with more than one notification, all the same."""
    drawn_again: int
    """Tasks that had a GPU more than once."""
    starts: int
    """Times that a GPU was held for a task."""
    killed_thrice: int
    """Tasks that failed since each of their runtimes was killed."""
    said_left: int
    """Cancelled tasks of which the log says that what they had stored could not be removed."""


def tally(stories: Sequence[Story], observed: Observed) -> Tally:
    """Count what is no fault."""
    rows = [row for each in observed.rows.values() for row in each]
    told = [len(observed.notifications.get(row.submission, ())) for row in rows]
    return Tally(
        accepted=sum(story.accepted for story in stories),
        never_accepted=sum(not story.accepted for story in stories),
        ends=dict(Counter(row.status.value for row in rows)),
        told_once=sum(count == 1 for count in told),
        told_again=sum(count > 1 for count in told),
        drawn_again=sum(
            _starts(story, observed) > max(1, len(observed.rows.get(story.plan.id, ())))
            for story in stories
        ),
        starts=sum(_starts(story, observed) for story in stories),
        said_left=len(observed.said_left),
        killed_thrice=sum(
            row.status is Status.FAILED and _lost_its_runtimes(row, story, observed)
            for story in stories
            if story.plan.fate is Fate.COMPLETED
            for row in observed.rows.get(story.plan.id, ())
        ),
    )


def _starts(story: Story, observed: Observed) -> int:
    """Count the starts on a GPU: by its log, or by the ledger where its process was killed."""
    attempts = sum(row.attempt for row in observed.rows.get(story.plan.id, ()))
    return max(observed.starts.get(story.plan.id, 0), attempts)
