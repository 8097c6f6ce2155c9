"""Ledger: its contract in memory, on the embedded AWS and on moto."""

import asyncio
from dataclasses import replace

import pytest

from models.errors import RuntimeUnavailable, TaskFailed
from models.ledger import UNPUBLISHED_SECONDS, Ledger, Search
from models.report import Report, Status
from models.task import Call, Callback, Task
from tests.clock import Clock
from tests.contracts.ports import World, skip_on_moto
from tests.fences import MINE, OTHER, fence

MOTO_IS_NOT_ATOMIC = "moto's conditional writes are not atomic between its threads"


async def test_a_queued_submission_is_known(kept: World, task: Task) -> None:
    await kept.ledger.queue(task)

    assert await kept.ledger.find(task.id, "s-1") == Report.of(task, Status.QUEUED)


async def test_queueing_does_not_undo_what_came_after_and_tells_it(kept: World, task: Task) -> None:
    assert await kept.ledger.queue(task, "me") == replace(Report.of(task, Status.QUEUED), key="me")
    running = await kept.ledger.start(task, MINE)

    assert await kept.ledger.queue(task) == running
    assert await kept.ledger.find(task.id) == running


async def test_what_was_noted_and_never_published_is_forgotten(
    ledger: Ledger, clock: Clock, task: Task
) -> None:
    since = clock.now
    await ledger.queue(task, "ana", published=False)
    found = await ledger.search(Search(runtimes=(task.runtime,), since=since), 10)
    waiting = await ledger.waiting(task.runtime, 1_000)
    clock.now += UNPUBLISHED_SECONDS - 1
    assert await ledger.find(task.id, task.submission)
    clock.now += 2

    assert (len(found.reports), [at for at in waiting if at >= since]) == (0, [])
    assert await ledger.find(task.id) is await ledger.find(task.id, task.submission) is None


@pytest.mark.parametrize("accepted", [True, False])
async def test_what_was_published_is_kept(
    ledger: Ledger, clock: Clock, task: Task, *, accepted: bool
) -> None:
    await ledger.queue(task, "ana", published=False)
    stands = await (ledger.accept(task, "ana") if accepted else ledger.start(task, MINE))
    clock.now += UNPUBLISHED_SECONDS + 1

    assert (stands.key, stands.status) == ("ana", stands.status)
    assert await ledger.find(task.id, task.submission)


async def test_who_accepts_what_is_unknown_or_began_changes_nothing_else(
    kept: World, task: Task
) -> None:
    noted = await kept.ledger.accept(task, "ana")
    running = await kept.ledger.start(task, MINE)

    assert (noted.status, noted.key) == (Status.QUEUED, "ana")
    assert await kept.ledger.accept(task, "ana") == running


async def test_each_start_is_one_attempt_more(kept: World, task: Task) -> None:
    await kept.ledger.queue(task)
    first = await kept.ledger.start(task, MINE)
    await kept.ledger.requeue(first, MINE)
    second = await kept.ledger.start(task, OTHER)

    assert first == Report.of(task, Status.RUNNING, attempt=1)
    assert second == Report.of(task, Status.RUNNING, attempt=2)
    assert (first.fence, second.fence) == (MINE, OTHER)


async def test_a_start_that_is_said_twice_is_one_attempt(kept: World, task: Task) -> None:
    """The SDK makes it again where its answer was lost."""
    await kept.ledger.start(task, MINE)

    assert await kept.ledger.start(task, MINE) == Report.of(task, Status.RUNNING, attempt=1)


async def test_what_another_has_does_not_start(kept: World, task: Task) -> None:
    running = await kept.ledger.start(task, OTHER)
    told = await kept.ledger.start(task, MINE)

    assert (told, told.fence) == (running, OTHER)
    assert not told.is_of(MINE)


async def test_what_a_silent_one_has_is_taken_over_as_the_same_attempt(
    ledger: Ledger, clock: Clock, task: Task
) -> None:
    await ledger.start(task, fence("silent", clock.now + 30))
    clock.now += 29.9
    early = await ledger.start(task, MINE)
    clock.now += 0.1
    taken = await ledger.start(task, MINE)
    late = await ledger.start(task, OTHER)

    assert not early.is_of(MINE)
    assert taken == Report.of(task, Status.RUNNING, attempt=1)
    assert (taken.fence, late.fence) == (MINE, MINE)


async def test_what_is_held_on_to_is_not_taken_over(
    ledger: Ledger, clock: Clock, task: Task
) -> None:
    running = await ledger.start(task, fence(until=clock.now + 30))
    clock.now += 20
    held = await ledger.hold(running, fence(until=clock.now + 30))
    clock.now += 20

    assert (held, held.fence) == (running, fence(until=clock.now + 10))
    assert (await ledger.start(task, OTHER)).is_of(MINE)
    clock.now += 10
    assert (await ledger.start(task, OTHER)).is_of(OTHER)
    assert (await ledger.hold(running, MINE)).is_of(OTHER)


async def test_what_ended_or_waits_or_is_unknown_cannot_be_held(kept: World, task: Task) -> None:
    running = await kept.ledger.start(task, MINE)
    assert await kept.ledger.hold(replace(running, submission="s-2"), MINE) is not None
    assert await kept.ledger.find(task.id, "s-2") is None
    await kept.ledger.requeue(running, MINE)
    assert (await kept.ledger.hold(running, MINE)).status is Status.QUEUED
    ended = await kept.ledger.finish(completed(running), MINE)
    assert await kept.ledger.hold(running, MINE) == ended


async def test_the_end_of_what_another_has_is_not_taken(
    ledger: Ledger, clock: Clock, task: Task
) -> None:
    running = await ledger.start(task, fence("silent", clock.now + 30))
    clock.now += 31
    taken = await ledger.start(task, fence("next", clock.now + 30))
    late = await ledger.finish(completed(running), fence("silent", clock.now + 30))

    assert (late, late.fence) == (taken, taken.fence)
    clock.now += 31
    assert (await ledger.finish(completed(running), MINE)).is_of(MINE)


async def test_who_noted_the_end_is_known_though_the_answer_was_lost(
    kept: World, task: Task
) -> None:
    running = await kept.ledger.start(task, MINE)
    await kept.ledger.finish(completed(running), MINE)
    again = await kept.ledger.finish(completed(running), MINE)
    anothers = await kept.ledger.finish(completed(running), OTHER)

    assert again.is_of(MINE)
    assert anothers.is_of(MINE)


async def test_another_tells_of_an_end_where_the_first_is_silent(
    ledger: Ledger, clock: Clock, task: Task
) -> None:
    first = fence("silent", clock.now + 30)
    ended = await ledger.finish(completed(await ledger.start(task, first)), first)
    early = await ledger.tell(ended, MINE)
    clock.now += 30
    tells = await ledger.tell(ended, fence(until=clock.now + 30))
    later = await ledger.tell(ended, OTHER)
    await ledger.mark_notified(ended)
    clock.now += 30
    at_last = await ledger.tell(ended, OTHER)

    assert [each.is_of(MINE) for each in (early, tells, later)] == [False, True, True]
    assert tells == ended
    assert at_last == replace(ended, notified=True)
    assert not at_last.is_of(OTHER)


async def test_who_tells_of_a_forgotten_end_does_not_bring_it_back(kept: World, task: Task) -> None:
    told = await kept.ledger.tell(Report.of(task, Status.COMPLETED), MINE)

    assert told.is_of(MINE)
    assert await kept.ledger.find(task.id) is None


async def test_who_cancels_tells_of_it_unless_another_has_the_task(
    ledger: Ledger, clock: Clock, task: Task
) -> None:
    waits, runs, lost, unknown = (replace(task, submission=f"s-{n}") for n in range(4))
    await ledger.queue(waits)
    await ledger.start(runs, OTHER)
    await ledger.start(lost, fence("silent", clock.now))
    told = {}
    for each in (waits, runs, lost, unknown):
        cancelled = await ledger.cancel(each.id, each.submission, MINE)
        again = await ledger.cancel(each.id, each.submission, MINE)
        assert cancelled
        assert again == cancelled
        told[each.submission] = (cancelled.is_of(MINE), again.is_of(MINE))

    assert told == {
        "s-0": (True, True),
        "s-1": (False, False),
        "s-2": (True, True),
        "s-3": (False, False),  # nobody knows what its context is
    }


async def test_whose_context_is_too_long_is_told_by_its_delivery(kept: World, task: Task) -> None:
    await kept.ledger.queue(replace(task, context={"long": "x" * 5_000}))
    cancelled = await kept.ledger.cancel(task.id, "s-1", MINE)

    assert cancelled
    assert (cancelled.context, cancelled.fence) == (None, None)


async def test_a_task_that_nobody_queued_can_start(kept: World, task: Task) -> None:
    assert await kept.ledger.start(task, MINE) == Report.of(task, Status.RUNNING, attempt=1)


async def test_of_racing_starts_one_has_the_task(kept: World, task: Task) -> None:
    skip_on_moto(kept, MOTO_IS_NOT_ATOMIC)
    fences = [fence(f"{n}") for n in range(10)]
    started = await asyncio.gather(*(kept.ledger.start(task, each) for each in fences))

    assert [report.attempt for report in started] == [1] * 10
    assert len([each for each, it in zip(fences, started, strict=True) if it.is_of(each)]) == 1


async def test_a_finished_task_does_not_start(kept: World, task: Task) -> None:
    ended = await kept.ledger.finish(completed(await kept.ledger.start(task, MINE)), MINE)

    assert await kept.ledger.start(task, MINE) == ended
    assert await kept.ledger.find(task.id) == ended


async def test_the_first_report_stands(kept: World, task: Task) -> None:
    running = await kept.ledger.start(task, MINE)
    first = await kept.ledger.finish(completed(running), MINE)
    second = await kept.ledger.finish(running.failed(TaskFailed("too late")), MINE)

    assert first == completed(running)
    assert second == first
    assert await kept.ledger.find(task.id, "s-1") == first


async def test_of_racing_reports_exactly_one_is_accepted(kept: World, task: Task) -> None:
    skip_on_moto(kept, MOTO_IS_NOT_ATOMIC)
    running = await kept.ledger.start(task, MINE)
    mine = [replace(completed(running), output=f"s3://bucket/{n}.out") for n in range(10)]
    standing = await asyncio.gather(*(kept.ledger.finish(report, MINE) for report in mine))

    assert len({report.output for report in standing}) == 1
    assert await kept.ledger.find(task.id) == standing[0]


async def test_a_failure_is_kept_with_its_reason(kept: World, task: Task) -> None:
    reason = {"node": "3", "error": ["é", None, 1.5]}
    failed = Report.of(task, Status.RUNNING).failed(TaskFailed("no", reason=reason), "s3://o")

    assert await kept.ledger.finish(failed, MINE) == failed
    assert await kept.ledger.find(task.id) == failed


async def test_a_huge_failure_can_be_kept(kept: World, task: Task) -> None:
    error = TaskFailed("é" * 500_000, reason={"answer": "é" * 500_000})
    await kept.ledger.finish(Report.of(task, Status.RUNNING).failed(error), MINE)
    found = await kept.ledger.find(task.id)

    assert found is not None
    assert found.failure is not None
    assert found.failure.kind == "TaskFailed"


async def test_that_it_was_notified_is_known_to_the_next_delivery(kept: World, task: Task) -> None:
    ended = await kept.ledger.finish(completed(await kept.ledger.start(task, MINE)), MINE)
    await kept.ledger.mark_notified(ended)

    assert await kept.ledger.start(task, MINE) == replace(ended, notified=True)


async def test_marking_does_not_bring_back_what_was_forgotten(kept: World, task: Task) -> None:
    await kept.ledger.mark_notified(Report.of(task, Status.COMPLETED))

    assert await kept.ledger.find(task.id) is None


async def test_a_queued_submission_can_be_withdrawn(kept: World, task: Task) -> None:
    await kept.ledger.queue(task)
    await kept.ledger.withdraw(task.id, task.submission)
    await kept.ledger.withdraw(task.id, task.submission)

    assert await kept.ledger.find(task.id, "s-1") is None


async def test_a_running_submission_cannot_be_withdrawn(kept: World, task: Task) -> None:
    await kept.ledger.queue(task)
    running = await kept.ledger.start(task, MINE)
    await kept.ledger.withdraw(task.id, task.submission)

    assert await kept.ledger.find(task.id) == running


async def test_the_newest_submission_of_an_id_is_found(kept: World, task: Task) -> None:
    for submission in ("s-3", "s-1", "s-2"):
        await kept.ledger.queue(replace(task, submission=submission))
    await kept.ledger.start(replace(task, submission="s-3"), MINE)
    newest = await kept.ledger.find(task.id)

    assert newest is not None
    assert newest.submission == "s-2"
    assert await kept.ledger.find("nothing") is None
    assert await kept.ledger.find(task.id, "s-9") is None


async def test_a_cancelled_task_does_not_start(kept: World, task: Task) -> None:
    await kept.ledger.queue(task)
    cancelled = await kept.ledger.finish(Report.of(task, Status.CANCELLED), MINE)

    assert await kept.ledger.start(task, MINE) == cancelled


async def test_a_runtime_that_vanished_is_notified_by_its_name(kept: World, task: Task) -> None:
    lost = Report.of(task, Status.RUNNING, attempt=3).failed(RuntimeUnavailable())
    standing = await kept.ledger.finish(lost, MINE)

    assert standing.failure is not None
    assert standing.failure.kind == "RuntimeUnavailable"
    assert standing.attempt == 3


async def test_when_it_came_and_when_it_changed_are_known(
    ledger: Ledger, clock: Clock, task: Task
) -> None:
    began = clock.now = 1_800_000_000.1234567
    await ledger.queue(task)
    clock.now += 100
    running = await ledger.start(task, MINE)
    clock.now += 100
    ended = await ledger.finish(completed(running), MINE)
    found = await ledger.find(task.id)

    assert (running.created, running.updated) == (began, began + 100)
    assert (ended.created, ended.updated) == (began, began + 200)
    assert found is not None
    assert (found.created, found.updated) == (began, began + 200)


async def test_what_only_the_first_knew_stays_known(kept: World, task: Task) -> None:
    """Workers do not know the name of the API key; a replica may know less than that."""
    known = replace(
        task,
        context={"é": [1]},
        callback=Callback(url="http://c", events=("failed",)),
        ttl=2.5,
        deadline=4e9,
    )
    await kept.ledger.queue(known, "me")
    running = await kept.ledger.start(known, MINE)
    little = replace(running, key=None, context=None, callback=None)
    ended = await kept.ledger.finish(replace(little, status=Status.COMPLETED), MINE)

    assert running == replace(Report.of(known, Status.RUNNING, 1), key="me")
    assert ended == replace(running, status=Status.COMPLETED)
    assert await kept.ledger.find(task.id) == ended


async def test_which_replica_ran_it_with_what_is_kept(kept: World, task: Task) -> None:
    running = await kept.ledger.start(task, MINE)
    ran = replace(completed(running), replica="r-1", checkpoint="shapes.safetensors")
    ended = await kept.ledger.finish(ran, MINE)

    assert ended == ran
    assert ended.replica == "r-1"


async def test_an_attempt_that_is_over_waits_again(kept: World, task: Task) -> None:
    await kept.ledger.queue(task, "me")
    running = await kept.ledger.start(task, MINE)
    await kept.ledger.requeue(running, MINE)

    assert await kept.ledger.find(task.id) == replace(running, status=Status.QUEUED)
    assert (await kept.ledger.start(task, OTHER)).attempt == 2


async def test_a_start_that_lands_after_its_run_changes_nothing(kept: World, task: Task) -> None:
    """The SDK makes it again, and the answer of the first one came."""
    await kept.ledger.requeue(await kept.ledger.start(task, MINE), MINE)
    late = await kept.ledger.start(task, MINE)

    assert (late.status, late.attempt) == (Status.QUEUED, 1)
    assert (await kept.ledger.start(task, OTHER)).attempt == 2
    await kept.ledger.requeue(late, MINE)
    assert (await kept.ledger.find(task.id, task.submission) or late).status is Status.RUNNING


async def test_an_attempt_that_does_not_count_is_taken_back(kept: World, task: Task) -> None:
    await kept.ledger.requeue(await kept.ledger.start(task, OTHER), OTHER)
    second = await kept.ledger.start(task, MINE)
    await kept.ledger.requeue(second, MINE, counts=False)
    await kept.ledger.requeue(second, MINE, counts=False)

    assert await kept.ledger.find(task.id) == replace(second, status=Status.QUEUED, attempt=1)
    assert (await kept.ledger.start(task, OTHER)).attempt == 2


async def test_an_attempt_that_is_over_does_not_undo_the_next(kept: World, task: Task) -> None:
    first = await kept.ledger.start(task, MINE)
    await kept.ledger.requeue(first, MINE)
    second = await kept.ledger.start(task, OTHER)
    await kept.ledger.requeue(first, MINE)

    assert await kept.ledger.find(task.id) == second


async def test_what_ended_or_is_unknown_does_not_wait_again(kept: World, task: Task) -> None:
    other = replace(task, submission="s-2")
    running = await kept.ledger.start(task, MINE)
    ended = await kept.ledger.finish(completed(running), MINE)
    await kept.ledger.requeue(running, MINE)
    await kept.ledger.requeue(Report.of(other, Status.RUNNING, 1), MINE)

    assert await kept.ledger.find(task.id, "s-1") == ended
    assert await kept.ledger.find(task.id, "s-2") is None


async def test_a_call_that_is_still_to_be_asked_for_is_known(kept: World, task: Task) -> None:
    ended = await kept.ledger.finish(completed(await kept.ledger.start(task, MINE)), MINE)
    await kept.ledger.mark_notified(ended, called=False)
    known = await kept.ledger.queue(task)
    await kept.ledger.mark_notified(known)
    asked = await kept.ledger.queue(task)

    assert (known.notified, known.uncalled) == (True, True)
    assert (asked.notified, asked.uncalled) == (True, False)


async def test_a_queued_task_can_be_cancelled(kept: World, task: Task) -> None:
    await kept.ledger.queue(task, "me")
    cancelled = await kept.ledger.cancel(task.id, "s-1", MINE)

    assert cancelled == replace(Report.of(task, Status.CANCELLED), key="me")
    assert await kept.ledger.cancel(task.id, "s-1", MINE) == cancelled
    assert await kept.ledger.start(task, MINE) == cancelled
    assert await kept.ledger.find(task.id) == cancelled


async def test_a_running_task_can_be_cancelled(kept: World, task: Task) -> None:
    running = await kept.ledger.start(task, MINE)
    cancelled = await kept.ledger.cancel(task.id, "s-1", MINE)

    assert cancelled == running.cancelled()
    assert await kept.ledger.finish(completed(running), MINE) == cancelled


async def test_what_has_ended_is_not_cancelled(kept: World, task: Task) -> None:
    ended = await kept.ledger.finish(completed(await kept.ledger.start(task, MINE)), MINE)
    await kept.ledger.mark_notified(ended)

    assert await kept.ledger.cancel(task.id, "s-1", MINE) == replace(ended, notified=True)


async def test_a_task_that_is_not_known_yet_can_be_cancelled(
    ledger: Ledger, clock: Clock, task: Task
) -> None:
    cancelled = await ledger.cancel(task.id, "s-1", MINE)
    await ledger.queue(task)
    await ledger.withdraw(task.id, task.submission)
    started = await ledger.start(task, MINE)
    finished = await ledger.finish(completed(Report.of(task, Status.RUNNING, 1)), MINE)
    await ledger.mark_notified(started)

    assert cancelled == Report(id=task.id, submission="s-1", runtime="", status=Status.CANCELLED)
    assert (cancelled.created, cancelled.updated) == (clock.now, clock.now)
    assert started == cancelled
    assert finished == cancelled
    assert await ledger.find(task.id) == replace(cancelled, notified=True)


async def test_of_racing_ends_exactly_one_stands(kept: World, task: Task) -> None:
    skip_on_moto(kept, MOTO_IS_NOT_ATOMIC)
    running = await kept.ledger.start(task, MINE)
    ends = await asyncio.gather(
        *(kept.ledger.finish(completed(running), MINE) for _ in range(3)),
        *(kept.ledger.cancel(task.id, "s-1", MINE) for _ in range(3)),
        *(kept.ledger.requeue(running, MINE) for _ in range(3)),
    )

    assert len({end.status for end in ends if end}) == 1


async def test_calls_are_kept_in_their_order(kept: World, task: Task) -> None:
    first = Call(event="running", at=1_800_000_000.1234567, status=503, error="it answered 503")
    second = Call(event="completed", at=1.0, status=200)
    running = await kept.ledger.start(task, MINE)

    assert await kept.ledger.add_call(task.id, "s-1", first) == (first,)
    ended = await kept.ledger.finish(completed(running), MINE)
    assert await kept.ledger.add_call(task.id, "s-1", second) == (first, second)
    found = await kept.ledger.find(task.id)
    assert ended.calls == (first,)
    assert found == ended
    assert found.calls == (first, second)


async def test_a_call_that_is_noted_twice_is_one(kept: World, task: Task) -> None:
    await kept.ledger.start(task, MINE)
    call = Call(event="running", at=1.5, status=503, error="it answered 503")
    await kept.ledger.add_call(task.id, "s-1", call)

    assert await kept.ledger.add_call(task.id, "s-1", call) == (call,)


async def test_racing_calls_are_all_kept(kept: World, task: Task) -> None:
    skip_on_moto(kept, MOTO_IS_NOT_ATOMIC)
    await kept.ledger.start(task, MINE)
    calls = [Call(event="running", at=float(n)) for n in range(10)]
    noted = await asyncio.gather(*(kept.ledger.add_call(task.id, "s-1", call) for call in calls))

    assert [each[-1] for each in noted] == calls
    assert sorted(map(len, noted)) == list(range(1, 11))


async def test_a_call_does_not_bring_back_what_was_forgotten(kept: World, task: Task) -> None:
    call = Call(event="completed", at=1.0, error="no")

    assert await kept.ledger.add_call(task.id, "s-1", call) == (call,)
    assert await kept.ledger.find(task.id) is None


def completed(report: Report) -> Report:
    artifacts = ("s3://bucket/id-1/1.png", "s3://bucket/id-1/2.png")
    return report.completed(artifacts, "s3://bucket/id-1.out", {"run": 1.25, "store": 1e-07})


async def test_what_belongs_to_another_key_is_unknown(kept: World, task: Task) -> None:
    await kept.ledger.queue(task, "ana")
    await kept.ledger.queue(replace(task, submission="s-2"), "bo")
    found = {key: await kept.ledger.find(task.id, key=key) for key in ("ana", "bo", "eve")}

    assert {key: report and report.submission for key, report in found.items()} == {
        "ana": "s-1",
        "bo": "s-2",
        "eve": None,
    }
    assert await kept.ledger.find(task.id, "s-1", key="bo") is None
    assert await kept.ledger.find(task.id, "s-1", key="ana") is not None


async def test_only_its_own_key_cancels_a_task(kept: World, task: Task) -> None:
    queued = await noted(kept, task, "ana")

    assert await kept.ledger.cancel(task.id, "s-1", key="bo", fence=MINE) is None
    assert await kept.ledger.find(task.id, "s-1") == queued

    cancelled = await kept.ledger.cancel(task.id, "s-1", key="ana", fence=MINE)

    assert cancelled == queued.cancelled()
    assert await kept.ledger.cancel(task.id, "s-1", key="ana", fence=MINE) == cancelled
    assert await kept.ledger.cancel(task.id, "s-1", key="bo", fence=MINE) is None


async def test_for_a_key_nothing_is_noted_of_an_unknown_task(kept: World, task: Task) -> None:
    assert await kept.ledger.cancel(task.id, "s-1", key="ana", fence=MINE) is None
    assert await kept.ledger.find(task.id, "s-1") is None
    assert (await kept.ledger.start(task, MINE)).status is Status.RUNNING


async def test_whose_a_task_is_does_not_change(kept: World, task: Task) -> None:
    claims = replace(task, owner="eve")
    await kept.ledger.queue(task, "ana")
    running = await kept.ledger.start(claims, MINE)
    ended = await kept.ledger.finish(completed(replace(running, key="eve")), MINE)

    assert (running.key, ended.key) == ("ana", "ana")


async def test_a_task_that_nobody_queued_belongs_to_whom_it_names(kept: World, task: Task) -> None:
    await kept.ledger.start(replace(task, owner="ana"), MINE)
    await kept.ledger.start(task, MINE)

    assert await kept.ledger.find(task.id, key="ana") is not None


async def noted(kept: World, task: Task, key: str) -> Report:
    """Queue a task with this key; return its report."""
    await kept.ledger.queue(task, key)
    report = await kept.ledger.find(task.id, task.submission)
    assert report is not None
    return report


async def test_an_id_that_no_task_can_have_is_unknown(kept: World) -> None:
    """DynamoDB would refuse to look for a key of more than 2,048 bytes."""
    assert await kept.ledger.find("z" * 2_049, "s1") is None
    assert await kept.ledger.find("z" * 2_049) is None
