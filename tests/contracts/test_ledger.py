"""Ledger: its contract in memory, on the embedded AWS and on moto."""

import asyncio
from dataclasses import replace

from models.errors import RuntimeUnavailable, TaskFailed
from models.ports import Ledger
from models.report import Report, Status
from models.task import Call, Callback, Task
from tests.clock import Clock
from tests.contracts.ports import World, skip_on_moto

MOTO_IS_NOT_ATOMIC = "moto's conditional writes are not atomic between its threads"


async def test_a_queued_submission_is_known(kept: World, task: Task) -> None:
    await kept.ledger.queue(task)

    assert await kept.ledger.find(task.id, "s-1") == Report.of(task, Status.QUEUED)


async def test_queueing_does_not_undo_what_came_after_and_tells_it(kept: World, task: Task) -> None:
    assert await kept.ledger.queue(task, "me") == replace(Report.of(task, Status.QUEUED), key="me")
    running = await kept.ledger.start(task)

    assert await kept.ledger.queue(task) == running
    assert await kept.ledger.find(task.id) == running


async def test_each_start_is_one_attempt_more(kept: World, task: Task) -> None:
    await kept.ledger.queue(task)

    assert await kept.ledger.start(task) == Report.of(task, Status.RUNNING, attempt=1)
    assert await kept.ledger.start(task) == Report.of(task, Status.RUNNING, attempt=2)


async def test_a_task_that_nobody_queued_can_start(kept: World, task: Task) -> None:
    assert await kept.ledger.start(task) == Report.of(task, Status.RUNNING, attempt=1)


async def test_racing_starts_are_counted_one_by_one(kept: World, task: Task) -> None:
    skip_on_moto(kept, MOTO_IS_NOT_ATOMIC)
    started = await asyncio.gather(*(kept.ledger.start(task) for _ in range(10)))

    assert sorted(report.attempt for report in started) == list(range(1, 11))


async def test_a_finished_task_does_not_start(kept: World, task: Task) -> None:
    ended = await kept.ledger.finish(completed(await kept.ledger.start(task)))

    assert await kept.ledger.start(task) == ended
    assert await kept.ledger.find(task.id) == ended


async def test_the_first_report_stands(kept: World, task: Task) -> None:
    running = await kept.ledger.start(task)
    first = await kept.ledger.finish(completed(running))
    second = await kept.ledger.finish(running.failed(TaskFailed("too late")))

    assert first == completed(running)
    assert second == first
    assert await kept.ledger.find(task.id, "s-1") == first


async def test_of_racing_reports_exactly_one_is_accepted(kept: World, task: Task) -> None:
    skip_on_moto(kept, MOTO_IS_NOT_ATOMIC)
    running = await kept.ledger.start(task)
    mine = [replace(completed(running), output=f"s3://bucket/{n}.out") for n in range(10)]
    standing = await asyncio.gather(*(kept.ledger.finish(report) for report in mine))

    assert len({report.output for report in standing}) == 1
    assert await kept.ledger.find(task.id) == standing[0]


async def test_a_failure_is_kept_with_its_reason(kept: World, task: Task) -> None:
    reason = {"node": "3", "error": ["é", None, 1.5]}
    failed = Report.of(task, Status.RUNNING).failed(TaskFailed("no", reason=reason), "s3://o")

    assert await kept.ledger.finish(failed) == failed
    assert await kept.ledger.find(task.id) == failed


async def test_a_huge_failure_can_be_kept(kept: World, task: Task) -> None:
    error = TaskFailed("é" * 500_000, reason={"answer": "é" * 500_000})
    await kept.ledger.finish(Report.of(task, Status.RUNNING).failed(error))
    found = await kept.ledger.find(task.id)

    assert found is not None
    assert found.failure is not None
    assert found.failure.kind == "TaskFailed"


async def test_that_it_was_notified_is_known_to_the_next_delivery(kept: World, task: Task) -> None:
    ended = await kept.ledger.finish(completed(await kept.ledger.start(task)))
    await kept.ledger.mark_notified(ended)

    assert await kept.ledger.start(task) == replace(ended, notified=True)


async def test_marking_does_not_bring_back_what_was_forgotten(kept: World, task: Task) -> None:
    await kept.ledger.mark_notified(Report.of(task, Status.COMPLETED))

    assert await kept.ledger.find(task.id) is None


async def test_a_queued_submission_can_be_withdrawn(kept: World, task: Task) -> None:
    await kept.ledger.queue(task)
    await kept.ledger.withdraw(task)
    await kept.ledger.withdraw(task)

    assert await kept.ledger.find(task.id, "s-1") is None


async def test_a_running_submission_cannot_be_withdrawn(kept: World, task: Task) -> None:
    await kept.ledger.queue(task)
    running = await kept.ledger.start(task)
    await kept.ledger.withdraw(task)

    assert await kept.ledger.find(task.id) == running


async def test_the_newest_submission_of_an_id_is_found(kept: World, task: Task) -> None:
    for submission in ("s-3", "s-1", "s-2"):
        await kept.ledger.queue(replace(task, submission=submission))
    await kept.ledger.start(replace(task, submission="s-3"))
    newest = await kept.ledger.find(task.id)

    assert newest is not None
    assert newest.submission == "s-2"
    assert await kept.ledger.find("nothing") is None
    assert await kept.ledger.find(task.id, "s-9") is None


async def test_a_cancelled_task_does_not_start(kept: World, task: Task) -> None:
    await kept.ledger.queue(task)
    cancelled = await kept.ledger.finish(Report.of(task, Status.CANCELLED))

    assert await kept.ledger.start(task) == cancelled


async def test_a_runtime_that_vanished_is_notified_by_its_name(kept: World, task: Task) -> None:
    lost = Report.of(task, Status.RUNNING, attempt=3).failed(RuntimeUnavailable())
    standing = await kept.ledger.finish(lost)

    assert standing.failure is not None
    assert standing.failure.kind == "RuntimeUnavailable"
    assert standing.attempt == 3


async def test_when_it_came_and_when_it_changed_are_known(
    ledger: Ledger, clock: Clock, task: Task
) -> None:
    began = clock.now = 1_800_000_000.1234567
    await ledger.queue(task)
    clock.now += 100
    running = await ledger.start(task)
    clock.now += 100
    ended = await ledger.finish(completed(running))
    found = await ledger.find(task.id)

    assert (running.created, running.updated) == (began, began + 100)
    assert (ended.created, ended.updated) == (began, began + 200)
    assert found is not None
    assert (found.created, found.updated) == (began, began + 200)


async def test_what_only_the_first_knew_stays_known(kept: World, task: Task) -> None:
    """Workers do not know the name of the API key; a replica may know less than that."""
    known = replace(task, context={"é": [1]}, callback=Callback(url="http://c", events=("failed",)))
    await kept.ledger.queue(known, "me")
    running = await kept.ledger.start(known)
    little = replace(running, key=None, context=None, callback=None)
    ended = await kept.ledger.finish(replace(little, status=Status.COMPLETED))

    assert running == replace(Report.of(known, Status.RUNNING, 1), key="me")
    assert ended == replace(running, status=Status.COMPLETED)
    assert await kept.ledger.find(task.id) == ended


async def test_which_replica_ran_it_with_what_is_kept(kept: World, task: Task) -> None:
    running = await kept.ledger.start(task)
    ran = replace(completed(running), replica="r-1", checkpoint="shapes.safetensors")
    ended = await kept.ledger.finish(ran)

    assert ended == ran
    assert ended.replica == "r-1"


async def test_an_attempt_that_is_over_waits_again(kept: World, task: Task) -> None:
    await kept.ledger.queue(task, "me")
    running = await kept.ledger.start(task)
    await kept.ledger.requeue(running)

    assert await kept.ledger.find(task.id) == replace(running, status=Status.QUEUED)
    assert (await kept.ledger.start(task)).attempt == 2


async def test_an_attempt_that_does_not_count_is_taken_back(kept: World, task: Task) -> None:
    await kept.ledger.start(task)
    second = await kept.ledger.start(task)
    await kept.ledger.requeue(second, counts=False)

    assert await kept.ledger.find(task.id) == replace(second, status=Status.QUEUED, attempt=1)
    assert (await kept.ledger.start(task)).attempt == 2


async def test_an_attempt_that_is_over_does_not_undo_the_next(kept: World, task: Task) -> None:
    first = await kept.ledger.start(task)
    await kept.ledger.requeue(first)
    second = await kept.ledger.start(task)
    await kept.ledger.requeue(first)

    assert await kept.ledger.find(task.id) == second


async def test_what_ended_or_is_unknown_does_not_wait_again(kept: World, task: Task) -> None:
    other = replace(task, submission="s-2")
    running = await kept.ledger.start(task)
    ended = await kept.ledger.finish(completed(running))
    await kept.ledger.requeue(running)
    await kept.ledger.requeue(Report.of(other, Status.RUNNING, 1))

    assert await kept.ledger.find(task.id, "s-1") == ended
    assert await kept.ledger.find(task.id, "s-2") is None


async def test_a_queued_task_can_be_cancelled(kept: World, task: Task) -> None:
    await kept.ledger.queue(task, "me")
    cancelled = await kept.ledger.cancel(task.id, "s-1")

    assert cancelled == replace(Report.of(task, Status.CANCELLED), key="me")
    assert await kept.ledger.cancel(task.id, "s-1") == cancelled
    assert await kept.ledger.start(task) == cancelled
    assert await kept.ledger.find(task.id) == cancelled


async def test_a_running_task_can_be_cancelled(kept: World, task: Task) -> None:
    running = await kept.ledger.start(task)
    cancelled = await kept.ledger.cancel(task.id, "s-1")

    assert cancelled == running.cancelled()
    assert await kept.ledger.finish(completed(running)) == cancelled


async def test_what_has_ended_is_not_cancelled(kept: World, task: Task) -> None:
    ended = await kept.ledger.finish(completed(await kept.ledger.start(task)))
    await kept.ledger.mark_notified(ended)

    assert await kept.ledger.cancel(task.id, "s-1") == replace(ended, notified=True)


async def test_a_task_that_is_not_known_yet_can_be_cancelled(
    ledger: Ledger, clock: Clock, task: Task
) -> None:
    cancelled = await ledger.cancel(task.id, "s-1")
    await ledger.queue(task)
    await ledger.withdraw(task)
    started = await ledger.start(task)
    finished = await ledger.finish(completed(Report.of(task, Status.RUNNING, 1)))
    await ledger.mark_notified(started)

    assert cancelled == Report(id=task.id, submission="s-1", runtime="", status=Status.CANCELLED)
    assert (cancelled.created, cancelled.updated) == (clock.now, clock.now)
    assert started == cancelled
    assert finished == cancelled
    assert await ledger.find(task.id) == replace(cancelled, notified=True)


async def test_of_racing_ends_exactly_one_stands(kept: World, task: Task) -> None:
    skip_on_moto(kept, MOTO_IS_NOT_ATOMIC)
    running = await kept.ledger.start(task)
    ends = await asyncio.gather(
        *(kept.ledger.finish(completed(running)) for _ in range(3)),
        *(kept.ledger.cancel(task.id, "s-1") for _ in range(3)),
        *(kept.ledger.requeue(running) for _ in range(3)),
    )

    assert len({end.status for end in ends if end}) == 1


async def test_calls_are_kept_in_their_order(kept: World, task: Task) -> None:
    first = Call(event="running", at=1_800_000_000.1234567, status=503, error="it answered 503")
    second = Call(event="completed", at=1.0, status=200)
    running = await kept.ledger.start(task)

    assert await kept.ledger.add_call(task.id, "s-1", first) == (first,)
    ended = await kept.ledger.finish(completed(running))
    assert await kept.ledger.add_call(task.id, "s-1", second) == (first, second)
    found = await kept.ledger.find(task.id)
    assert ended.calls == (first,)
    assert found == ended
    assert found.calls == (first, second)


async def test_racing_calls_are_all_kept(kept: World, task: Task) -> None:
    skip_on_moto(kept, MOTO_IS_NOT_ATOMIC)
    await kept.ledger.start(task)
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

    assert await kept.ledger.cancel(task.id, "s-1", key="bo") is None
    assert await kept.ledger.find(task.id, "s-1") == queued

    cancelled = await kept.ledger.cancel(task.id, "s-1", key="ana")

    assert cancelled == queued.cancelled()
    assert await kept.ledger.cancel(task.id, "s-1", key="ana") == cancelled
    assert await kept.ledger.cancel(task.id, "s-1", key="bo") is None


async def test_for_a_key_nothing_is_noted_of_an_unknown_task(kept: World, task: Task) -> None:
    assert await kept.ledger.cancel(task.id, "s-1", key="ana") is None
    assert await kept.ledger.find(task.id, "s-1") is None
    assert (await kept.ledger.start(task)).status is Status.RUNNING


async def test_whose_a_task_is_does_not_change(kept: World, task: Task) -> None:
    claims = replace(task, owner="eve")
    await kept.ledger.queue(task, "ana")
    running = await kept.ledger.start(claims)
    ended = await kept.ledger.finish(completed(replace(running, key="eve")))

    assert (running.key, ended.key) == ("ana", "ana")


async def test_a_task_that_nobody_queued_belongs_to_whom_it_names(kept: World, task: Task) -> None:
    await kept.ledger.start(replace(task, owner="ana"))
    await kept.ledger.start(task)

    assert await kept.ledger.find(task.id, key="ana") is not None


async def noted(kept: World, task: Task, key: str) -> Report:
    """Queue a task with this key; return its report."""
    await kept.ledger.queue(task, key)
    report = await kept.ledger.find(task.id, task.submission)
    assert report is not None
    return report
