"""World of the model: a front, ingest replicas and a runtime over ports in memory."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from typing_extensions import override

from ingest.board import Board
from ingest.boards import Boards, FixedIngests
from ingest.cancel import Cancel
from ingest.envelope import Envelope
from ingest.memory import MemoryClaims, MemoryLedger, MemoryObjects, MemoryQueue, MemoryTopic
from ingest.notify import Notifier
from ingest.worker import Worker
from models.errors import PlaceGone, RuntimeUnavailable, Unavailable
from models.event import Update
from models.native import CallbackRequest, TaskRequest
from models.ports import Runner
from models.report import Report, Stage, Status
from models.settings.groups import Tasks
from models.task import Kind, Task
from serve_app.native.accepted import AcceptedTask
from serve_app.native.idempotency import Idempotency
from serve_app.problems import Problem
from serve_app.submit import Submit
from tests.ingest.protocol.faults import Process

INGESTS = 2
RULES = Tasks(leaseSeconds=30, maxAttempts=3)
RUN_SECONDS = 5.0
OUTPUT = "s3://outputs"


class Runtime(Runner):
    """Runtime of replicas that may be lost; a run takes five seconds, and a moment to store."""

    def __init__(self, objects: MemoryObjects) -> None:
        self.objects = objects
        self.seconds = RUN_SECONDS
        self.ends: list[BaseException] = []
        """Ends of the next runs that begin; without one a run is completed."""
        self.losses: Counter[str] = Counter()
        """Losses of a replica with a task that had begun, by submission."""
        self.runs: Counter[str] = Counter()
        """Runs that began, by submission."""

    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        end = self.ends.pop(0) if self.ends else None
        self.runs[task.submission] += 1
        yield Stage.RUNNING
        await asyncio.sleep(self.seconds)
        if end is not None:
            self.losses[task.submission] += end in (LOST, STOPPED)
            raise end
        made, output = (f"{OUTPUT}/{task.artifact_key(1, '.png')}",), f"{OUTPUT}/{task.output_key}"
        for uri in (*made, output):
            await self.objects.put(uri, b"", "")
            await asyncio.sleep(0.2)
        report = Report.of(task, Status.RUNNING, attempt)
        yield report.completed(made, output, {"run": self.seconds})


class Calls(MemoryTopic):
    """Queue of the callbacks' calls, which may be away."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False

    @override
    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        if self.is_away:
            raise Unavailable("the calls' queue is away")
        await super().publish(message, attributes)


LOST = RuntimeUnavailable("its replica was lost")
STOPPED = asyncio.CancelledError("Ray ended the call")
DRAINED = PlaceGone("its node drains")
STORE_AWAY = Unavailable("S3 is away")


class World:
    """World of one runtime; made within its event loop.

    ``ledger``, ``claims`` and ``queue``: kinds of those ports, which a test may give a mistake.
    """

    def __init__(
        self,
        ledger: type[MemoryLedger] = MemoryLedger,
        claims: type[MemoryClaims] = MemoryClaims,
        queue: type[MemoryQueue] = MemoryQueue,
    ) -> None:
        self.clock = asyncio.get_running_loop().time
        self.queue = queue(visibility=RULES.lease_seconds, wait=20, clock=self.clock)
        self.tasks, self.results, self.calls = MemoryTopic(), MemoryTopic(), Calls()
        self.tasks.subscribe(self.queue, raw=True)
        self.ledger, self.claims = ledger(self.clock), claims(self.clock)
        self.objects = MemoryObjects()
        self.runtime = Runtime(self.objects)
        self.front = Process()
        self.processes = [self.front]
        """Processes that are there, and those that were."""
        self._numbers = itertools.count(1)
        self.ingests = [self._ingest() for _ in range(INGESTS)]

    async def submit(self, key: str) -> str | None:
        """Send a task as a client does; return its submission, None if it is not accepted yet."""
        request = TaskRequest(
            kind=Kind.TEXT_TO_IMAGE,
            content={"prompt": key},
            id=key,
            callback=CallbackRequest(url="https://x.test/told"),
        )
        minted = f"{key}-{next(self._numbers)}"
        accepted = AcceptedTask(request=request, runtime="painter", holder="me", submission=minted)
        submit = Submit(
            topic=self.front.port(self.tasks),
            objects=self.objects,
            ledger=self.front.port(self.ledger),
            bucket="outputs",
        )
        idempotency = Idempotency(
            submit=submit, claims=self.front.port(self.claims), clock=self.clock
        )
        try:
            task, _ = await idempotency.publish(accepted, key)
        except (Unavailable, Problem):
            return None
        return task.submission

    async def cancel(self, key: str) -> None:
        """Cancel the newest task of a key, by the boards of the ingests that are there."""
        report = await self.ledger.find(key)
        if report is None:
            return
        boards = Boards(FixedIngests({f"{n}": one.board for n, one in enumerate(self.ingests)}))
        cancel = Cancel(
            ledger=self.front.port(self.ledger),
            notifier=self._notifier(self.front),
            boards=boards,
            clock=self.clock,
        )
        try:
            await cancel(report.id, report.submission)
        except Unavailable:
            return

    async def publish_again(self) -> None:
        """Send copies of the message that was published last, as SNS may do."""
        if self.tasks.published:
            last = self.tasks.published[-1]
            await self.queue.send(last.message, last.attributes)

    async def kill(self, number: int) -> None:
        """Kill an ingest; another one begins in its place."""
        self.ingests[number].process.stand_still()
        self.ingests[number] = self._ingest()

    async def drain(self, number: int) -> None:
        """Let an ingest drain, as a new version does; another one begins."""
        self.ingests[number].worker.drain()
        self.ingests[number] = self._ingest()

    async def cut_off(self, number: int) -> None:
        """End an ingest that drains, as where its time is over; another one begins."""
        self.ingests[number].worker.drain()
        self.ingests[number].work.cancel()
        self.ingests[number] = self._ingest()

    def told(self) -> dict[str, list[Any]]:
        """List the notifications of ends, by submission."""
        return _by_submission(self.results)

    def called(self) -> dict[str, list[Any]]:
        """List the calls of ends that were asked for, by submission."""
        return _by_submission(self.calls)

    def _notifier(self, process: Process) -> Notifier:
        return Notifier(
            results=process.port(self.results),
            callbacks=process.port(self.calls),
            objects=process.port(self.objects),
            output=OUTPUT,
        )

    def _ingest(self) -> "Ingest":
        made = Ingest(self)
        self.processes.append(made.process)
        return made


def _by_submission(topic: MemoryTopic) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for published in topic.published:
        body = json.loads(published.message)
        found.setdefault(body["submission"], []).append(body)
    return found


class Ingest:
    """Ingest replica: a process with its board and its worker."""

    def __init__(self, world: World) -> None:
        self.process = process = Process()
        self.board = Board(world.clock)
        self.worker = Worker(
            queue=process.port(world.queue),
            capacity=4,
            envelope=Envelope("painter", process.port(world.objects), f"{OUTPUT}/payloads/", 2**20),
            ledger=process.port(world.ledger),
            objects=process.port(world.objects),
            notifier=world._notifier(process),  # noqa: SLF001 - parts of one world
            board=self.board,
            runner=world.runtime,
            kinds=frozenset({Kind.TEXT_TO_IMAGE}),
            output=OUTPUT,
            rules=RULES,
            clock=world.clock,
        )
        self.work = asyncio.create_task(self.worker.work())
