"""The audit finds each broken promise, and nothing where all were kept."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bench.chaos.audit import Fault, Observed, audit, tally
from bench.chaos.plan import Fate, Plan, Way
from bench.chaos.story import Story
from models.report import Failure, Report, Status

PICTURE, OUTPUT = "s3://outputs/chaos/t1/t1-1.png", "s3://outputs/chaos/t1/t1.out"
ROW = Report(
    submission="s1",
    id="t1",
    runtime="pictures",
    status=Status.COMPLETED,
    attempt=1,
    artifacts=(PICTURE,),
    output=OUTPUT,
    updated=1_000,
)
LOST_RUNTIME = replace(
    ROW,
    status=Status.FAILED,
    artifacts=(),
    output=None,
    attempt=3,
    failure=Failure(kind="RuntimeUnavailable", message="lost its runtime in each of 3 attempts"),
)


def told(row: Report = ROW, **other: Any) -> Mapping[str, Any]:
    body = {"submission": row.submission, "id": row.id, "status": row.status.value}
    return body | {"image_url": list(row.artifacts), "output_url": row.output} | other


def story(**plan: Any) -> Story:
    given = {"id": "t1", "way": Way.NATIVE} | plan
    return Story(plan=Plan(**given), accepted_at=900, tries=1, submissions={"s1"})


def observed(**other: Any) -> Observed:
    found: dict[str, Any] = {
        "rows": {"t1": [ROW]},
        "notifications": {"s1": [told()]},
        "calls": {},
        "dead_letters": [],
        "objects": {PICTURE, OUTPUT},
        "unreadable": frozenset(),
        "starts": {"t1": 1},
    }
    return Observed(**found | other)


def of_row(row: Report, **other: Any) -> Observed:
    """Findings where this is the ledger's row and the notification says the same."""
    return observed(**{"rows": {"t1": [row]}, "notifications": {"s1": [told(row)]}} | other)


def faults(story: Story, found: Observed) -> list[Fault]:
    return [each.fault for each in audit([story], found)]


def cancelled(*, granted: bool) -> Story:
    asked = story(fate=Fate.CANCELLED, cancel_after=1)
    asked.cancelled = granted
    return asked


def test_kept_promises_are_no_faults() -> None:
    assert faults(story(), observed()) == []


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (Fault.LOST, observed(rows={}, notifications={}, objects=set())),
        (Fault.UNTOLD, observed(notifications={})),
        (Fault.STUCK, of_row(replace(ROW, status=Status.RUNNING))),
        (Fault.STUCK, of_row(replace(ROW, status=Status.QUEUED))),
        (Fault.LEFT, observed(left={"chaos-pictures": 2, "chaos-far": 0})),
        (Fault.WRONGLY_FAILED, of_row(LOST_RUNTIME, objects=set())),
        (
            Fault.WRONGLY_FAILED,
            observed(rows={}, notifications={}, objects=set(), dead_letters=['{"id": "t1"}']),
        ),
        (Fault.WRONGLY_ENDED, of_row(ROW.cancelled(), objects={PICTURE, OUTPUT})),
        (
            Fault.TWICE,
            observed(
                rows={"t1": [ROW, replace(ROW, submission="s2")]},
                notifications={
                    "s1": [told()],
                    "s2": [told(replace(ROW, submission="s2"))],
                },
            ),
        ),
        (Fault.CONTRADICTED, observed(notifications={"s1": [told(), told(result=False)]})),
        (Fault.CONTRADICTED, observed(notifications={"s1": [told(image_url=[])]})),
        (Fault.CONTRADICTED, observed(notifications={"s1": [told(status="failed")]})),
        (Fault.UNREADABLE, observed(objects={OUTPUT})),
        (Fault.UNREADABLE, observed(unreadable={PICTURE})),
        (Fault.ORPHAN, observed(objects={PICTURE, OUTPUT, "s3://outputs/chaos/t1/t1-2.png"})),
        (Fault.ATTEMPTS, of_row(replace(ROW, attempt=4))),
    ],
)
def test_a_broken_promise_is_found(fault: Fault, found: Observed) -> None:
    assert faults(story(), found) == [fault]


def test_a_key_that_was_answered_with_two_submissions_gave_two_tasks() -> None:
    both = story()
    both.submissions.add("s2")

    assert faults(both, observed()) == [Fault.TWICE]


def test_a_request_of_a_dialect_that_is_made_again_is_another_task() -> None:
    again = story(way=Way.DIALECT)
    again.tries = 2
    second = replace(ROW, submission="s2")
    found = observed(
        rows={"t1": [ROW, second]}, notifications={"s1": [told()], "s2": [told(second)]}
    )

    assert faults(again, found) == []


def test_what_was_never_accepted_may_have_no_end_but_its_row_has_one() -> None:
    unclear = story()
    unclear.accepted_at, unclear.submissions = 0, set()
    nothing = observed(rows={}, notifications={}, objects=set())
    running = of_row(replace(ROW, status=Status.RUNNING))

    assert faults(unclear, nothing) == []
    assert faults(unclear, running) == [Fault.STUCK]


def test_a_callback_is_told_what_the_notification_says() -> None:
    called = story(callback=True)

    assert faults(called, observed(calls={"s1": [told(), told()]})) == []
    assert faults(called, observed()) == [Fault.UNCALLED]
    assert faults(called, observed(calls={"s1": [told(result=False)]})) == [Fault.UNCALLED]


def test_a_cancel_that_was_granted_holds_and_leaves_nothing() -> None:
    gone = ROW.cancelled()
    gone = replace(gone, artifacts=(), output=None)

    assert faults(cancelled(granted=True), of_row(gone, objects=set())) == []
    assert faults(cancelled(granted=False), observed()) == []
    assert faults(cancelled(granted=True), observed()) == [Fault.WRONGLY_ENDED]
    assert faults(cancelled(granted=True), of_row(gone)) == [Fault.ORPHAN, Fault.ORPHAN]


def test_what_could_not_be_removed_is_no_fault_where_the_log_says_so() -> None:
    gone = replace(ROW.cancelled(), artifacts=(), output=None)
    said = of_row(gone, said_left={"s3://outputs/chaos/t1/t1"})

    assert faults(cancelled(granted=True), said) == []
    assert tally([cancelled(granted=True)], said).said_left == 1


def test_poison_fails_or_is_a_dead_letter() -> None:
    poison = story(fate=Fate.REFUSED)
    dead = observed(rows={}, notifications={}, objects=set(), dead_letters=["t1 is no JSON"])

    assert faults(poison, dead) == []
    assert faults(poison, of_row(LOST_RUNTIME, objects=set())) == []
    assert faults(poison, observed()) == [Fault.WRONGLY_ENDED]


def test_a_task_whose_every_runtime_was_killed_may_fail() -> None:
    often = of_row(LOST_RUNTIME, objects=set(), kills=[910, 920, 930])
    before = of_row(LOST_RUNTIME, objects=set(), kills=[810, 820, 930])

    assert faults(story(), often) == []
    assert tally([story()], often).killed_thrice == 1
    assert faults(story(), before) == [Fault.WRONGLY_FAILED]


def test_starts_and_notifications_are_counted() -> None:
    found = observed(
        rows={"t1": [replace(ROW, attempt=2)]},
        starts={"t1": 1},  # the other one's process was killed
        notifications={"s1": [told(), told()]},
    )
    counted = tally([story()], found)

    assert (counted.starts, counted.drawn_again) == (2, 1)
    assert (counted.told_once, counted.told_again) == (0, 1)
    assert counted.ends == {"completed": 1}
