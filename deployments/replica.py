"""A replica: one adapter with its GPU; inputs, checkpoint, run, artifacts stored, a report."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from deployments.adapter import Adapter, Answer, Artifact, Begun
from deployments.media_types import sniff
from models import strict_json
from models.errors import RuntimeUnavailable, TaskFailed, Unavailable
from models.ports import Objects
from models.progress import Progress
from models.report import Report, Status
from models.task import Task

log = logging.getLogger("ray.serve.atelier.replica")


class Fetcher(Protocol):
    """What gets the bytes behind a task's links."""

    async def fetch(self, links: Iterable[str]) -> Mapping[str, bytes]: ...

    async def close(self) -> None: ...


class Replica:
    """Runs tasks on one adapter: as many at once as it has slots, with their I/O around it."""

    def __init__(
        self, *, adapter: Adapter, inputs: Fetcher, objects: Objects, output: str, deadline: float
    ) -> None:
        self.adapter = adapter
        self.inputs = inputs
        self.objects = objects
        self.output = output
        """``s3://`` URI of the bucket of artifacts."""
        self.deadline = deadline
        """Seconds of the longest run."""
        self.name = ""
        """Which of the runtime's replicas it is; who serves it says so."""
        self.slots = asyncio.Semaphore(adapter.slots)

    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Progress | Report, None]:
        """Run a task, telling progress and last its report; a refusal is a report.

        Raises:
            RuntimeUnavailable: the backend or the store is away; another try may end better.
        """
        made = _Made(task)
        report = Report.of(task, Status.RUNNING, attempt)
        try:
            inputs = await self.inputs.fetch(self.adapter.links(task))
            made.took("inputs")
            async with self.slots:
                made.took("wait")
                await self._load(task)
                made.took("load")
                report = replace(report, checkpoint=self.adapter.checkpoint, replica=self.name)
                async with aclosing(self._steps(task, inputs)) as steps:
                    async for step in steps:
                        match step:
                            case Progress():
                                yield step
                            case Begun():
                                made.took("wait")
                                report = replace(report, checkpoint=self.adapter.checkpoint)
                            case _:
                                made.keep(step)
                made.took("run")
            uris = await self._store(made)
            made.took("store")
            yield report.completed(uris, f"{self.output}/{task.output_key}", made.seconds)
        except TaskFailed as exc:
            yield report.failed(exc)
        except Unavailable as exc:
            raise RuntimeUnavailable(str(exc)) from exc

    async def renew(self) -> None:
        """Between two tasks, put a fresh adapter in the place of the one there is.

        Tasks before it in line are run first; those after it wait for the fresh one, for good
        where that does not get ready: then the replica is to be replaced.
        """
        for _ in range(self.adapter.slots):
            await self.slots.acquire()
        await self.adapter.close()
        self.adapter = type(self.adapter)(self.adapter.spec)
        await self.adapter.ready()
        for _ in range(self.adapter.slots):
            self.slots.release()

    async def close(self) -> None:
        await self.adapter.close()
        await self.inputs.close()

    async def _load(self, task: Task) -> None:
        try:
            async with asyncio.timeout(self.deadline):
                await self.adapter.load(task)
        except TimeoutError:
            raise RuntimeUnavailable(f"no checkpoint after {self.deadline:g} s") from None

    async def _steps(
        self, task: Task, inputs: Mapping[str, bytes]
    ) -> AsyncGenerator[Progress | Begun | Artifact | Answer, None]:
        """The adapter's steps, none after the deadline."""
        # Who waits for another of this replica's tasks waits no longer than that one's deadline.
        end = self._end() if self.adapter.slots == 1 else None
        async with aclosing(self.adapter.run(task, inputs)) as steps:
            while True:
                try:
                    async with asyncio.timeout_at(end):  # never around a yield
                        step = await anext(steps, None)
                except TimeoutError:
                    await self.adapter.interrupt()
                    raise TaskFailed(
                        f"stopped after {self.deadline:g} s, the most that a task may run"
                        " (tasks.deadlineSeconds)"
                    ) from None
                match step:
                    case None:
                        return
                    case Begun():
                        end = self._end()
                yield step

    def _end(self) -> float:
        return asyncio.get_running_loop().time() + self.deadline

    async def _store(self, made: "_Made") -> tuple[str, ...]:
        """Store the artifacts and the answer, all at once; the URIs of the artifacts."""
        kinds = [sniff(artifact.data) for artifact in made.artifacts]
        uris = [
            f"{self.output}/{made.task.artifact_key(n, kind.extension)}"
            for n, kind in enumerate(kinds, start=1)
        ]
        out = _rendered(made.answer, made.artifacts, uris)
        puts = [
            self.objects.put(uri, artifact.data, kind.content_type)
            for uri, artifact, kind in zip(uris, made.artifacts, kinds, strict=True)
        ]
        output = f"{self.output}/{made.task.output_key}"
        await asyncio.gather(*puts, self.objects.put(output, out, "application/json"))
        return tuple(uris)


@dataclass
class _Made:
    """What a task has come to so far."""

    task: Task
    artifacts: list[Artifact] = field(default_factory=list)
    answer: Any = None
    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.monotonic)

    def keep(self, step: Artifact | Answer) -> None:
        match step:
            case Artifact():
                self.artifacts.append(step)
            case Answer():
                self.answer = step.body

    def took(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + now - self._since, 4)
        self._since = now


def _rendered(answer: Any, artifacts: Sequence[Artifact], uris: Sequence[str]) -> bytes:
    """The answer as JSON, each artifact in it as its URI."""
    places = {id(artifact): uri for artifact, uri in zip(artifacts, uris, strict=True)}

    def place(value: Any) -> str:
        if isinstance(value, Artifact):
            return places[id(value)]
        raise TypeError(f"the runtime's answer holds a {type(value).__name__}")

    return strict_json.written(answer, default=place).encode()
