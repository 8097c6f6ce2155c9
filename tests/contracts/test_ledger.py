"""What every ledger does, in memory, on the embedded AWS and on moto."""

import asyncio
from dataclasses import replace

from models.errors import RuntimeUnavailable, TaskFailed
from models.report import Report, Status
from models.task import Task
from tests.contracts.ports import World, skip_on_moto

MOTO_IS_NOT_ATOMIC = "moto's conditional writes are not atomic between its threads"


async def test_a_queued_submission_is_known(kept: World, task: Task) -> None:
    await kept.ledger.queue(task)

    assert await kept.ledger.find(task.id, "s-1") == Report.of(task, Status.QUEUED)


async def test_queueing_does_not_undo_what_came_after(kept: World, task: Task) -> None:
    running = await kept.ledger.start(task)
    await kept.ledger.queue(task)

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


async def test_that_it_was_told_is_known_to_the_next_delivery(kept: World, task: Task) -> None:
    ended = await kept.ledger.finish(completed(await kept.ledger.start(task)))
    await kept.ledger.tell(ended)

    assert await kept.ledger.start(task) == replace(ended, told=True)


async def test_telling_does_not_bring_back_what_was_forgotten(kept: World, task: Task) -> None:
    await kept.ledger.tell(Report.of(task, Status.COMPLETED))

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


async def test_a_runtime_that_vanished_is_told_by_its_name(kept: World, task: Task) -> None:
    lost = Report.of(task, Status.RUNNING, attempt=3).failed(RuntimeUnavailable())
    standing = await kept.ledger.finish(lost)

    assert standing.failure is not None
    assert standing.failure.kind == "RuntimeUnavailable"
    assert standing.attempt == 3


def completed(report: Report) -> Report:
    artifacts = ("s3://bucket/id-1/1.png", "s3://bucket/id-1/2.png")
    return report.completed(artifacts, "s3://bucket/id-1.out", {"run": 1.25, "store": 1e-07})
