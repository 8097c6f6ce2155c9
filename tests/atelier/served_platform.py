"""Platform for tests: the real HTTP API over memory ports, on loopback, with faults on demand."""

import asyncio
import gzip
import io
import re
import threading
from base64 import b64encode
from collections.abc import AsyncGenerator, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from ingest.boards import FixedIngests
from ingest.memory import MemoryClaims, MemoryObjects, MemoryQueue
from models.errors import TaskFailed
from models.event import Update
from models.ports import Runner
from models.report import Progress, Report, Stage, Status
from models.runtimes import runtime_type
from models.runtimes.contents import Contents
from models.settings import Settings
from models.settings.groups import Tasks
from models.task import Kind, Task
from serve_app.api import api
from serve_app.auth import Keys
from serve_app.capacity import Capacity
from serve_app.context import Front
from serve_app.runtimes import Runtimes
from serve_app.submit import Submit
from serve_app.watching.feed import Feed, Intervals
from tests.dead_letters import dead_letters
from tests.ingest.world import OUTPUT, World
from tests.serving import served

KEY = "ana's own key"
SETTINGS: Mapping[str, Any] = {
    "stackName": "atelier",
    "checkpoints": ".",
    "outputBucketName": "outputs",
    "modelsRuntime": [
        {"name": "sdruntime", "type": "fake", "modelFilename": "shapes"},
        {"name": "anyruntime", "type": "fake", "dynamicModel": True},
    ],
    "APIGW": {"throttle": {"rateLimit": 1000, "burstLimit": 1000}},
    "apiKeys": [{"name": "ana", "key": KEY, "role": "operator"}, {"name": "bo", "key": "bo's key"}],
    "callbacks": {"secret": "whsec_" + b64encode(b"s" * 24).decode()},
}


def png(colour: str = "red") -> bytes:
    body = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(body, "PNG")
    return body.getvalue()


class Painter(Runner):
    """Runner of two steps and ``batch_size`` pictures; a ``content`` with ``fail`` fails."""

    def __init__(self, objects: MemoryObjects) -> None:
        self.objects = objects
        self.started: list[Task] = []
        self.going = asyncio.Event()
        self.going.set()
        """Event without which tasks stay at their first step."""

    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        self.started.append(task)
        yield Stage.RUNNING
        yield Progress(step=1, of=2, preview=png("blue"))
        await self.going.wait()
        if isinstance(task.content, dict) and "fail" in task.content:
            raise TaskFailed(task.content["fail"])
        yield Progress(step=2, of=2)
        report = Report.of(task, Status.RUNNING, attempt)
        uris = [f"{OUTPUT}/{task.artifact_key(n, '.png')}" for n in range(1, _pictures(task) + 1)]
        output = f"{OUTPUT}/{task.output_key}"
        for uri in uris:
            await self.objects.put(uri, png(), "image/png")
        await self.objects.put(output, b'{"images": []}', "application/json")
        yield report.completed(tuple(uris), output, {"run": 0.5})


def _pictures(task: Task) -> int:
    return int(task.content.get("batch_size", 1)) if isinstance(task.content, dict) else 1


class Store(MemoryObjects):
    """Store whose objects anyone can get over HTTP by a signed link, from a host of its own."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.busy = 0
        """Count of the next requests that are answered 503."""
        self.cut = 0
        """Count of the next answers that break off before their end."""
        self.sized = True
        """Flag: answers have a Content-Length."""
        self.zeros = 0
        """Size of every object, in zero bytes; 0: objects are what they are."""
        self.coding = ""
        """Content-Encoding of answers; their bodies are gzipped if it says so."""

    @override
    async def link(self, uri: str, seconds: int) -> str:
        return f"{self.url}/{uri.removeprefix('s3://')}?signature=secret"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        self.requests.append(request)
        body = await self.get(f"s3:/{request.url.path}")
        answer = Response(status_code=404) if body is None else self._answer(body)
        if self.busy:
            self.busy, answer = self.busy - 1, Response(status_code=503)
        await answer(scope, receive, send)

    def _answer(self, body: bytes) -> Response:
        if self.zeros:
            return StreamingResponse(bytes(1 << 16) for _ in range(self.zeros >> 16))
        sized = {"content-length": str(len(body))} if self.sized else {}
        if self.coding:
            packed = gzip.compress(body) if "gzip" in self.coding else body
            return Response(packed, headers={"content-encoding": self.coding})
        if not self.cut:
            return StreamingResponse(iter([body]), headers=sized)
        self.cut -= 1
        return StreamingResponse(iter([body[:20]]), headers=sized)


@dataclass
class Fault:
    """Fault of the next requests of a sort; the platform has done what they asked for."""

    path: str = ".*"
    method: str = "GET"
    times: int = 1
    status: int = 0
    """Status that is answered instead; 0: the connection breaks."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    after: int = 0
    """Count of parts of a stream that come through before it breaks off."""

    def answer(self) -> Response:
        if self.status:
            return Response(self.body, self.status, self.headers)
        # More is announced than comes, so the server can only close the connection.
        return Response(headers={"content-length": "1", "content-type": "text/event-stream"})

    def takes(self, scope: Scope) -> bool:
        """Tell whether the fault befalls this request; count it if so."""
        path, method = scope["path"], scope["method"]
        if not self.times or not re.fullmatch(self.path, path) or method != self.method:
            return False
        self.times -= 1
        return True


class FaultyProxy:
    """Proxy between client and platform, which plays faults."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.faults: list[Fault] = []
        self.requests: list[Request] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests.append(Request(scope))
        match next((each for each in self.faults if each.takes(scope)), None):
            case None:
                await self.app(scope, receive, send)
            case Fault(after=0) as fault:
                if fault.method != "GET":
                    await self.app(scope, receive, _lost)
                await fault.answer()(scope, receive, send)
            case Fault(after=after):
                with suppress(Exception):
                    await self.app(scope, receive, _Some(send, after))


async def _lost(message: Message) -> None:
    pass


class _Some:
    """Sender of the beginning of a stream."""

    def __init__(self, send: Send, parts: int) -> None:
        self.send = send
        self.parts = parts

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            self.parts -= 1
        if self.parts < 0:
            raise OSError("cut")
        await self.send(message)


@dataclass(frozen=True, kw_only=True)
class Platform:
    """Platform that answers at ``url``."""

    url: str
    proxy: FaultyProxy
    world: World
    painter: Painter
    store: Store
    loop: asyncio.AbstractEventLoop

    @property
    def published(self) -> int:
        """Count of the tasks that were published."""
        return len(self.world.tasks.published)

    def hold(self) -> None:
        """Let tasks stay at their first step."""
        self.loop.call_soon_threadsafe(self.painter.going.clear)

    def go(self) -> None:
        """Let held tasks go on."""
        self.loop.call_soon_threadsafe(self.painter.going.set)


@contextmanager
def running() -> Iterator[Platform]:
    """Run a platform in a thread of its own while the block runs."""
    started: Future[Platform] = Future()
    stop = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_run(started, stop)))
    thread.start()
    try:
        platform = started.result(timeout=20)
        yield platform
        platform.go()
    finally:
        stop.set()
        thread.join(timeout=20)


async def _run(started: "Future[Platform]", stop: threading.Event) -> None:
    store = Store()
    painter = Painter(store)
    world = World(Tasks())
    world.worker = replace(
        world.worker, runner=painter, kinds=frozenset(Kind), objects=store, capacity=8
    )
    front = _front(world, store)
    proxy = FaultyProxy(api(front))
    async with served(store) as store.url, served(proxy) as url, world.working():
        loop = asyncio.get_running_loop()
        started.set_result(
            Platform(url=url, proxy=proxy, world=world, painter=painter, store=store, loop=loop)
        )
        while not stop.is_set():
            await asyncio.sleep(0.01)
        await front.feed.close()


def _front(world: World, store: Store) -> Front:
    settings = Settings.read(args=SETTINGS)
    return Front(
        submit=Submit(topic=world.tasks, objects=store, ledger=world.ledger, bucket="outputs"),
        keys=Keys(settings.api_keys, settings.gateway.throttle),
        capacity=Capacity.of(settings.limits),
        runtimes=Runtimes(configured=settings.models_runtime, kinds=lambda _: frozenset(Kind)),
        scaling=settings.scaling_of,
        signs_callbacks=lambda _: True,
        contents=Contents.of(settings.models_runtime, runtime_type),
        ledger=world.ledger,
        objects=store,
        claims=MemoryClaims(),
        cancel=world.cancel,
        dead_letters=dead_letters(
            {"sdruntime": world.queue}, MemoryQueue(), MemoryQueue(), world.ledger
        ),
        feed=Feed(
            FixedIngests({"a": world.board}), world.ledger, Intervals(heartbeat=0.05, tick=0.05)
        ),
        backlog=lambda _: world.queue.backlog(),
        checkpoints=_checkpoints,
        output_bucket=settings.names.output_bucket,
        max_payload_bytes=settings.tasks.max_payload_bytes,
        limits=settings.limits,
    )


async def _checkpoints() -> list[str]:
    return ["shapes"]
