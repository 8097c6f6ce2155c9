"""A head start: a run that begins before the ledger has said that the task may run.

It saves a round trip to the ledger for a task that comes alone to an idle runtime.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ingest.board import Board
from models.ports import Delivery
from models.report import Report, Status
from models.task import Task


def is_likely_first(delivery: Delivery, task: Task, board: Board) -> bool:
    """Tell whether a task may get a head start, as far as can be told without the ledger.

    A redelivery may not, nor what was cancelled, nor what may have been cancelled before the board
    was up. A task whose callback wants the start may not, either: the ledger alone knows the API
    key that signs the call.
    """
    calls_at_start = task.callback is not None and Status.RUNNING in task.callback.events
    return (
        delivery.attempt == 1
        and board.was_up_at(delivery.sent)
        and not board.stops.is_stopped(task.submission)
        and not calls_at_start
    )


async def with_head_start(
    task: Task,
    start: Awaitable[Report],
    run: Callable[[Report], Coroutine[Any, Any, Report]],
) -> Report:
    """Run a task as its first attempt while ``start`` asks the ledger; return how it ended.

    If the ledger says otherwise (the message was published twice), the run is stopped, and the
    task is run again as the attempt that it is, unless it has ended.
    """
    running = asyncio.create_task(run(Report.of(task, Status.RUNNING, 1)))
    try:
        report = await start
        if report.attempt == 1 and not report.ended:
            return await running
    finally:
        # Also where the ledger did not answer. The end of the run is waited for, so two runs of
        # one submission, which store under the same keys, never overlap.
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return report if report.ended else await run(report)
