"""World for the worker: memory ports, one worker, a runtime that does as it is told."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ingest.board import Board
from ingest.boards import Boards, FixedIngests
from ingest.cancel import Cancel
from ingest.envelope import Envelope
from ingest.memory import MemoryLedger, MemoryObjects, MemoryQueue, MemoryTopic
from ingest.notify import Notifier
from ingest.worker import Worker
from models.event import Update
from models.live import Live
from models.ports import Runner
from models.report import Progress, Report, Stage, Status
from models.settings.groups import Tasks
from models.task import Kind, Task

OUTPUT = "s3://outputs"


class Mute(Exception):
    """Act of a runtime: end without a report."""


@dataclass
class Unbegun(Exception):
    """Act of a runtime: raise an error before the task has the GPU."""

    error: Exception


class Runtime(Runner):
    """Runtime that plays its acts in turn, then the last again: an error to raise, or a pause.

    With ``slots`` set, only so many tasks have the GPU at once.
    """

    def __init__(self) -> None:
        self.acts: list[Exception | float] = [0.0]
        self.started: list[Task] = []
        self.stopped = 0
        self.slots = asyncio.Semaphore(1_000)

    @property
    def runs(self) -> int:
        return len(self.started)

    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        self.started.append(task)
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        if isinstance(act, Unbegun):
            raise act.error
        async with self.slots:
            yield Stage.RUNNING
            async with aclosing(self._play(task, attempt, act)) as updates:
                async for update in updates:
                    yield update

    async def _play(
        self, task: Task, attempt: int, act: Exception | float
    ) -> AsyncGenerator[Update, None]:
        yield Progress(step=1, of=1)
        if isinstance(act, Mute):
            return
        if isinstance(act, Exception):
            raise act
        try:
            await asyncio.sleep(act)
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        report = Report.of(task, Status.RUNNING, attempt)
        artifact, output = task.artifact_key(1, ".png"), task.output_key
        yield report.completed((f"{OUTPUT}/{artifact}",), f"{OUTPUT}/{output}", {"run": act})


def boards_of(live: Live) -> Boards:
    """Make the boards of one ingest replica."""
    return Boards(FixedIngests({"a": live}))


class World:
    """World around one worker."""

    def __init__(self, rules: Tasks, *, capacity: int = 4) -> None:
        self.tasks = MemoryTopic()
        self.results = MemoryTopic()
        self.queue = MemoryQueue(visibility=rules.lease_seconds, wait=0.05)
        self.tasks.subscribe(self.queue)
        self.ledger = MemoryLedger()
        self.objects = MemoryObjects()
        self.calls = MemoryTopic()
        self.board = Board()
        self.notifier = Notifier(
            results=self.results, callbacks=self.calls, objects=self.objects, output=OUTPUT
        )
        self.cancel = self.canceller(self.ledger)
        self.runtime = Runtime()
        envelope = Envelope("sdruntime", self.objects, f"{OUTPUT}/payloads/", 2**20)
        self.worker = Worker(
            queue=self.queue,
            capacity=capacity,
            envelope=envelope,
            ledger=self.ledger,
            objects=self.objects,
            notifier=self.notifier,
            board=self.board,
            runner=self.runtime,
            kinds=frozenset({Kind.TEXT_TO_IMAGE}),
            output=OUTPUT,
            rules=rules,
        )

    def canceller(self, ledger: MemoryLedger) -> Cancel:
        """Make the cancel of tasks that this ledger knows."""
        boards = boards_of(self.board)
        return Cancel(ledger=ledger, notifier=self.notifier, boards=boards)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[asyncio.Task[None]]:
        work = asyncio.create_task(self.worker.work())
        await asyncio.sleep(0)
        try:
            yield work
        finally:
            self.worker.drain()
            await asyncio.wait([work], timeout=2)
            work.cancel()

    async def publish(self, *, submission: str = "s1", **metadata: Any) -> None:
        await self.tasks.publish(json.dumps(message(**metadata)), {"submission": submission})

    async def redeliver(self, times: int = 1) -> None:
        """Receive what waits in the queue, and hand it back."""
        for _ in range(times):
            for delivery in await self.queue.receive(10):
                await self.queue.extend(delivery, 0)

    async def notifications(self, count: int) -> list[Mapping[str, Any]]:
        await until(lambda: len(self.results.published) >= count, seconds=20)
        return [json.loads(p.message) for p in self.results.published]


def message(**metadata: Any) -> dict[str, Any]:
    given = {
        "id": "a",
        "runtime": "sdruntime",
        "tasktype": "text-to-image",
        "prefix": "p",
        "context": {"order": 42},
    }
    return {"metadata": given | metadata, "content": {"prompt": "a tin robot"}}


async def until(done: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.01)
