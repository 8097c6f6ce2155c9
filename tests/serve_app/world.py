"""World: the HTTP APIs over ports in memory, with a real board."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
from typing_extensions import override

from ingest.board import Board
from ingest.boards import Boards, FixedIngests
from ingest.cancel import Cancel
from ingest.memory import MemoryClaims, MemoryLedger, MemoryObjects, MemoryQueue, MemoryTopic
from ingest.notify import Notifier
from models.backoff import Backoff
from models.errors import Unavailable
from models.event import Event
from models.fence import Fence
from models.fleet import Demand, Supply
from models.live import Live, Pace
from models.ports import KeyStore
from models.report import Report, Status
from models.runtimes import runtime_type
from models.runtimes.contents import Contents
from models.settings import Settings
from models.task import Kind, Task
from serve_app.api import api
from serve_app.auth import Keys
from serve_app.capacity import Capacity
from serve_app.context import Front
from serve_app.runtimes import Runtimes
from serve_app.submit import Submit
from serve_app.watching.feed import Feed, Intervals
from tests.clock import Clock
from tests.dead_letters import dead_letters
from tests.fences import MINE
from tests.serving import served

KEY = "ana's own key"
OTHER_KEY = "bo's key"
SECRET = "whsec_" + b64encode(b"known to nobody but tests").decode()

QUICK = Intervals(
    tick=0.02,
    cache=0.02,
    ledger_check=0.05,
    ledger_check_alone=0.02,
    linger=0,
    retry=Backoff(first=0.01, longest=0.05),
)


class ClosedTopic(MemoryTopic):
    @override
    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        raise Unavailable


class BrokenTopic(MemoryTopic):
    @override
    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        raise KeyError(message)


class Ingest(Live):
    """Ingest as the HTTP APIs see it: a board that can go away, and be replaced."""

    def __init__(self) -> None:
        self.board: Board | None = Board()
        self.follows = 0
        self.calls = 0
        """Calls of `watch`."""
        self.watches = 0
        self.unwatches = 0
        self.paced = 0
        self.followers = 0
        """Streams that are open now."""
        self._gone = asyncio.Event()
        self._held = asyncio.Event()
        self._held.set()

    @property
    def there(self) -> Board:
        if self.board is None:
            raise Unavailable("ingest is away")
        return self.board

    def go(self) -> None:
        """Become unavailable, with all that the board knew lost."""
        self.board = None
        self.cut()

    def come_back(self) -> None:
        """Answer again, with an empty board."""
        self.board = Board()
        self.cut()

    def hold(self) -> asyncio.Event:
        """Hold the answers to `watch` until the returned event is set."""
        self._held = asyncio.Event()
        return self._held

    def cut(self) -> None:
        """End all streams of events."""
        gone, self._gone = self._gone, asyncio.Event()
        gone.set()

    async def follow(self, follower: str) -> AsyncGenerator[Sequence[Event], None]:
        self.follows += 1
        gone = asyncio.create_task(self._gone.wait())
        self.followers += 1
        try:
            async with aclosing(self.there.follow(follower)) as stream:
                while not gone.done():
                    news = asyncio.create_task(anext(stream))
                    try:
                        await asyncio.wait([news, gone], return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        if not news.done():
                            news.cancel()
                            await asyncio.wait([news])
                    if not news.cancelled():
                        yield news.result()
        finally:
            self.followers -= 1
            gone.cancel()

    async def watch(
        self, follower: str, more: Sequence[str], no_more: Sequence[str]
    ) -> Mapping[str, Sequence[Event]] | None:
        self.calls += 1
        self.watches += len(more)
        self.unwatches += len(no_more)
        answer = await self.there.watch(follower, more, no_more)
        await self._held.wait()
        return answer

    async def stop(self, report: Report) -> None:
        await self.there.stop(report)

    async def paces(self) -> Mapping[str, Pace]:
        self.paced += 1
        return await self.there.paces()


def settings(burst: int = 10_000, **more: Any) -> Settings:
    given = {
        "stackName": "atelier",
        "checkpoints": ".",
        "outputBucketName": "outputs",
        "modelsRuntime": [
            {
                "name": "sdruntime",
                "type": "fake",
                "modelFilename": "shapes.safetensors",
                "scaling": {"maxReplicas": 4},
            },
            {"name": "comfy", "type": "fake", "dynamicModel": True},
        ],
        "APIGW": {"throttle": {"rateLimit": 1, "burstLimit": burst}},
        "apiKeys": [
            {"name": "ana", "key": KEY, "role": "operator"},
            {"name": "bo", "key": OTHER_KEY},
        ],
    }
    return Settings.read(args=given | more)


class World:
    """Application of the HTTP APIs, with the ports behind it."""

    def __init__(
        self,
        *,
        topic: MemoryTopic | None = None,
        ledger: MemoryLedger | None = None,
        claims: MemoryClaims | None = None,
        intervals: Intervals = QUICK,
        configured: Settings | None = None,
        stores: Sequence[KeyStore] = (),
    ) -> None:
        self.stores = stores
        self.topic = topic or MemoryTopic()
        self.ledger = ledger or MemoryLedger()
        self.objects = MemoryObjects()
        self.results = MemoryTopic()
        self.wall = Clock()
        self.claims = claims or MemoryClaims()
        self.claims.clock = self.wall
        self.ingest = Ingest()
        self.clock = Clock()
        self.backlogs: dict[str, int] = {"sdruntime": 3}
        self.names = ["shapes.safetensors", "other.safetensors"]
        self.kinds = {"sdruntime": frozenset(Kind) - {Kind.PIPELINE}, "comfy": frozenset(Kind)}
        self.settings = configured or settings()
        self.feed = Feed(FixedIngests({"a": self.ingest}), self.ledger, intervals)
        self.queues = {name: MemoryQueue(wait=0) for name in ("sdruntime", "comfy")}
        self.calls, self.unrouted = MemoryQueue(wait=0), MemoryQueue(wait=0)
        self.front = self._front()
        self.app = api(self.front)

    @property
    def board(self) -> Board:
        return self.ingest.there

    def scale(self, supply: Supply, demand: Demand, runtime: str = "sdruntime") -> None:
        """Let ingest know the newest demand on a runtime, and the policy's answer."""
        pace = self.board.runtimes.of(runtime)
        pace.demand = demand
        pace.take(supply)

    def client(self, **more: Any) -> httpx.AsyncClient:
        """Make a client in this process, which sees an answer only once that is whole."""
        transport = httpx.ASGITransport(self.app)
        headers = {"x-api-key": KEY}
        return httpx.AsyncClient(
            transport=transport, base_url="http://front", headers=headers, **more
        )

    async def run(self, task: Task, fence: Fence = MINE) -> Report:
        """Start a task as ingest does; each of its runs has a fence of its own."""
        report = await self.ledger.start(task, fence)
        self.board.publish(task.submission, report)
        return report

    async def complete(self, task: Task, pictures: int = 2) -> Report:
        """End it, as ingest does."""
        numbers = range(1, pictures + 1)
        made = tuple(f"s3://outputs/{task.artifact_key(n, '.png')}" for n in numbers)
        output = f"s3://outputs/{task.output_key}"
        ran = Report.of(task, Status.RUNNING, 1).completed(made, output, {"run": 2.5})
        report = await self.ledger.finish(ran, MINE)
        if self.ingest.board:
            self.board.publish(task.submission, report)
        return report

    def _front(self) -> Front:
        return Front(
            submit=Submit(
                topic=self.topic,
                objects=self.objects,
                ledger=self.ledger,
                bucket=self.settings.names.output_bucket,
            ),
            keys=Keys(
                self.settings.api_keys,
                self.settings.gateway.throttle,
                self.stores,
                clock=self.clock,
            ),
            capacity=Capacity.of(self.settings.limits, self.clock),
            runtimes=Runtimes(
                configured=self.settings.models_runtime,
                kinds=lambda name: self.kinds.get(name, frozenset()),
            ),
            scaling=self.settings.scaling_of,
            signs_callbacks=lambda key: self.settings.callback_secret(key) is not None,
            contents=Contents.of(self.settings.models_runtime, runtime_type),
            ledger=self.ledger,
            objects=self.objects,
            claims=self.claims,
            cancel=Cancel(
                ledger=self.ledger,
                notifier=Notifier(
                    results=self.results,
                    callbacks=MemoryTopic(),
                    objects=self.objects,
                    output=f"s3://{self.settings.names.output_bucket}",
                ),
                boards=Boards(self.feed.ingests),
            ),
            dead_letters=dead_letters(self.queues, self.calls, self.unrouted, self.ledger),
            feed=self.feed,
            backlog=self._backlog,
            checkpoints=self._checkpoints,
            output_bucket=self.settings.names.output_bucket,
            max_payload_bytes=self.settings.tasks.max_payload_bytes,
            limits=self.settings.limits,
            trusted_proxies=[str(each) for each in self.settings.ingress.trusted_proxies or ()],
            clock=self.wall,
        )

    async def _backlog(self, runtime: str) -> int:
        if runtime not in self.backlogs:
            raise Unavailable
        return self.backlogs[runtime]

    async def _checkpoints(self) -> Sequence[str]:
        return self.names


def task(submission: str = "s1", **more: Any) -> Task:
    given = {"id": "owl", "runtime": "sdruntime", "kind": "text-to-image", "prefix": "birds"}
    return Task(submission=submission, **given | more)


@asynccontextmanager
async def serving(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the HTTP APIs; yield a client that sees events as they come."""
    async with (
        served(world.app) as url,
        httpx.AsyncClient(base_url=url, headers={"x-api-key": KEY}) as client,
    ):
        yield client
    await world.feed.close()
