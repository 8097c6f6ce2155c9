"""World for callbacks: memory ports, one callback sender, and real servers that are called."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from ingest.callbacks import CallbackSender, Post
from ingest.memory import MemoryLedger, MemoryObjects, MemoryQueue, MemoryTopic
from ingest.notify import Notifier
from models.report import Report
from models.settings.groups import Callbacks
from models.task import Call, Callback, Task
from serve_app.callbacks import WebPost
from tests.fences import MINE
from tests.ingest.callback_server import SECRET, CallbackServer
from tests.ingest.world import until

Secret = Callable[[str | None], SecretStr | None]
AT_ONCE = {"retrySeconds": (0, 0, 0)}


class World:
    """Memory ports around callback senders that may call the given servers."""

    def __init__(
        self,
        *servers: CallbackServer,
        secret: Secret = lambda _: SecretStr(SECRET),
        queue: MemoryQueue | None = None,
        ledger: MemoryLedger | None = None,
        post: Post | None = None,
        allow: Sequence[str] = (),
        **rules: Any,
    ) -> None:
        self.queue = queue or MemoryQueue()
        self.ledger = ledger or MemoryLedger()
        self.post = post or WebPost([*allow, *(server.host for server in servers)])
        self.secret = secret
        self.rules = Callbacks.model_validate(AT_ONCE | rules)
        self.results, calls = MemoryTopic(), MemoryTopic()
        calls.subscribe(self.queue, raw=True)
        self.notifier = Notifier(
            results=self.results, callbacks=calls, objects=MemoryObjects(), output="s3://outputs"
        )
        self.sender = self.new()

    def new(self) -> CallbackSender:
        return CallbackSender(
            queue=self.queue,
            ledger=self.ledger,
            post=self.post,
            secret=self.secret,
            rules=self.rules,
            lease_seconds=1,
            capacity=20,
        )

    @asynccontextmanager
    async def working(self) -> AsyncIterator[asyncio.Task[None]]:
        self.sender = self.new()
        work = asyncio.create_task(self.sender.work())
        await asyncio.sleep(0)
        try:
            yield work
        finally:
            self.sender.drain()
            await asyncio.wait([work], timeout=5)
            work.cancel()

    async def start(
        self, url: str, *, key: str | None = None, submission: str = "s1", **wanted: Any
    ) -> Report:
        """Start a task, and notify its callback."""
        callback = Callback(url=url, **wanted)
        task = Task(
            submission=submission,
            id="owl",
            runtime="studio",
            kind="text-to-image",
            callback=callback,
            context={"order": 7},
        )
        await self.ledger.queue(task, key)
        report = await self.ledger.start(task, MINE)
        await self.notifier.notify(report, task.context)
        return report

    async def end(self, url: str, **options: Any) -> None:
        """Complete a task, and notify its callback."""
        running = await self.start(url, **options)
        done = running.completed(("s3://outputs/owl-1.png",), "s3://outputs/owl.out", {"run": 1.0})
        await self.notifier.notify(await self.ledger.finish(done, MINE), {"order": 7})

    async def settled(self) -> Sequence[Call]:
        """Make calls until none is left; return those noted on the task."""
        async with self.working():
            await until(lambda: self.queue.depth == 0)
        return await self.noted()

    async def noted(self) -> Sequence[Call]:
        report = await self.ledger.find("owl")
        assert report is not None
        return report.calls

    @property
    def given_up(self) -> Sequence[str]:
        return [letter.reason for letter in self.queue.dead_letters]


def outcome(calls: Sequence[Call]) -> Sequence[tuple[str, int | None, str | None]]:
    return [(call.event, call.status, call.error) for call in calls]
