"""Replica of a runtime: fetches inputs, runs tasks on one adapter, stores artifacts, reports."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Protocol

from deployments.adapter import Adapter, Answer, Artifact, Begun, Step
from deployments.adapter_errors import known_errors
from deployments.end_watch import EndWatch, Limit
from deployments.media_types import named
from deployments.results import Results
from models.errors import RuntimeUnavailable, TaskFailed
from models.event import Update
from models.patience import DRAWN_SECONDS, Patience
from models.ports import Objects
from models.report import Progress, Report, Stage, Status
from models.task import Task

log = logging.getLogger("ray.serve.atelier.replica")

_WAITING_SECONDS = 1.0
"""Seconds of a wait for another task's GPU from which on it is told: with a fast model none is."""
_TOLD_SECONDS = 0.05
"""Seconds of a load from which on it is told: a checkpoint that is there already takes fewer."""
_MOST_URI_BYTES = 350_000
"""Most bytes of the URIs of a task's artifacts: a row of the ledger has 400 KB at most."""
_EXIT_SECONDS = 0.5
"""Seconds in which a backend that a task found gone is seen to be gone."""


Tell = Callable[[Update], None]
"""Tell an update, without waiting for whoever reads it."""


class Fetcher(Protocol):
    """Fetches the bytes behind a task's links, and checks pictures that it holds itself."""

    async def fetch(self, links: Iterable[str]) -> Mapping[str, bytes]: ...

    async def check(self, pictures: Mapping[str, str]) -> None: ...

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
        """Seconds that a task may run at most, and that loading its checkpoint may take."""
        self.name = ""
        """Name among the runtime's replicas; whoever serves it sets it."""
        self.holds: Sequence[str] = ()
        """Weights files that the adapter has, or is loading; empty where that is not known."""
        self.slots = asyncio.Semaphore(adapter.slots)
        """Taken while a task has the adapter, and all of them by a renewal."""
        self.end_watch = EndWatch()
        self._patience = Patience()
        self._inside = 0
        """Number of tasks that have the adapter."""

    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        """Run a task: yield its stages and progress, and last its report; a refusal is a report.

        The first `Stage.RUNNING` says that it has the GPU, and that the backend is well;
        `Stage.WAITING` before it, that another task has the GPU, and not for a moment only. The
        task goes on however slowly the updates are read.

        Raises:
            RuntimeUnavailable: the backend is away, or does not stop though its time is over;
                another try may end better.
            Unavailable: the store is away, of inputs for longer than a quarter of an hour, of
                artifacts for longer than six hours.
        """
        # Through Ray a yield takes milliseconds, in which the GPU would idle and its slot be held.
        told: asyncio.Queue[Update | None] = asyncio.Queue()
        running = asyncio.create_task(self._report(task, attempt, told))
        running.add_done_callback(lambda _: told.put_nowait(None))
        try:
            while (update := await told.get()) is not None:
                yield update
            if not running.done():
                self.end_watch.check()
            yield await running
        finally:
            await self.end_watch.stopped(running)

    async def check(self) -> None:
        """Raise if no further task can be run here.

        Raises:
            RuntimeUnavailable: a run does not end, or the backend is gone or broken.
        """
        self.end_watch.check()
        await self.adapter.check()

    async def renew(self) -> None:
        """Replace the adapter by a fresh one between two tasks.

        Tasks that wait already are run first; those that come later wait for the fresh one, and
        for ever if it does not get ready: then the replica is to be replaced.

        Raises:
            RuntimeUnavailable: the fresh one did not get ready.
        """
        # Semaphores are fair, so tasks that wait already go first. Two renewals at once would each
        # hold some slots and wait for the rest; `Renewal` begins one at a time.
        for _ in range(self.adapter.slots):
            await self.slots.acquire()
        self.holds = ()
        await self.adapter.close()
        # Kept before it is ready: whoever gives up this renewal closes the one that is here.
        self.adapter = type(self.adapter)(self.adapter.spec)
        await self.adapter.ready()
        for _ in range(self.adapter.slots):
            self.slots.release()

    async def close(self) -> None:
        """Close the adapter and the connections for inputs."""
        await self.adapter.close()
        await self.inputs.close()

    async def _report(
        self, task: Task, attempt: int, told: "asyncio.Queue[Update | None]"
    ) -> Report:
        """Run a task, telling its stages and progress; return the report on its end.

        Where the adapter blocks for longer than it may, None is told.
        """
        results, tell, has_one = Results(task), told.put_nowait, self.adapter.slots == 1
        report = Report.of(task, Status.RUNNING, attempt)
        try:
            # Before a slot is taken: the adapter works for another task meanwhile.
            with known_errors(task):
                links = list(self.adapter.links(task))
                pictures = self.adapter.pictures(task)
            await self.inputs.check(pictures)
            inputs = await self._patience(lambda: self.inputs.fetch(links))
            results.end_stage("inputs")
            loop = asyncio.get_running_loop()
            wait = loop.call_later(_WAITING_SECONDS, tell, Stage.WAITING)
            if not (self._inside or self.slots.locked()):  # it comes alone
                wait.cancel()
            async with self._slot(task, lambda: told.put_nowait(None)) as limit:
                results.end_stage("wait")
                if has_one:
                    wait.cancel()
                    tell(Stage.RUNNING)
                    limit.restart()
                await self._load(task, tell)
                if has_one:
                    limit.restart()
                results.end_stage("load")
                report = replace(report, checkpoint=self.adapter.checkpoint, replica=self.name)
                async with aclosing(self._steps(task, inputs)) as steps:
                    async for step in steps:
                        match step:
                            case Progress() | Stage():
                                tell(step)
                            case Begun():
                                results.end_stage("wait")
                                wait.cancel()
                                limit.restart()
                                # With several slots `run` changes checkpoints, not `load`.
                                report = replace(report, checkpoint=self.adapter.checkpoint)
                                self._hold(task)
                                tell(Stage.RUNNING)
                            case Artifact() | Answer():
                                results.keep(step)
                results.end_stage("run")
            # After the slot is free: the next task has the adapter while this one is stored.
            uris = await self._store(results)
            results.end_stage("store")
            return report.completed(uris, f"{self.output}/{task.output_key}", results.seconds)
        except TaskFailed as exc:
            return report.failed(exc)

    @asynccontextmanager
    async def _slot(self, task: Task, late: Callable[[], None]) -> AsyncIterator[Limit]:
        """Hold a slot of an adapter that can run the task; yield the limit of what has it.

        Past the limit ``late`` is called. Where one finds the adapter gone, those that wait for the
        slot find it so before they begin. What the adapter did not foresee ends the task.
        """
        async with self.slots:
            self._inside += 1
            try:
                await self.check()
                try:
                    with self.end_watch.limit(self.deadline, late) as limit, known_errors(task):
                        yield limit
                except RuntimeUnavailable:
                    await self._see_exit()
                    raise
            finally:
                self._inside -= 1

    async def _see_exit(self) -> None:
        """Wait until the adapter knows that it is gone, half a second at most: it may be well."""
        with suppress(RuntimeUnavailable):
            for _ in range(10):
                await self.adapter.check()
                await asyncio.sleep(_EXIT_SECONDS / 10)

    async def _load(self, task: Task, tell: Tell) -> None:
        """Load the task's checkpoint; tell that it does, if it takes a while."""
        loop = asyncio.get_running_loop()
        told_at = loop.time() + _TOLD_SECONDS
        # Not a wait for a task of its own: where nothing is to be loaded, the GPU goes on at once.
        timer = loop.call_at(told_at, tell, Stage.LOADING)
        is_loaded = False
        if self.adapter.slots == 1:  # else `run` changes checkpoints
            self._hold(task)
        try:
            async with asyncio.timeout(self.deadline) as limit:
                await self.adapter.load(task)
            is_loaded = True
        except TimeoutError:
            if not limit.expired():  # it is the adapter's own
                raise
            raise RuntimeUnavailable(f"no checkpoint after {self.deadline:g} s") from None
        finally:
            timer.cancel()
            if not is_loaded:
                self.holds = ()
        if loop.time() > told_at and self.adapter.slots == 1:
            tell(Stage.RUNNING)

    def _hold(self, task: Task) -> None:
        """Note the files of a task as those that are there; one that needs none changes nothing."""
        self.holds = self.adapter.checkpoints(task) or self.holds

    async def _steps(self, task: Task, inputs: Mapping[str, bytes]) -> AsyncGenerator[Step, None]:
        """Yield the adapter's steps, none after the deadline."""
        # With one slot the deadline begins here: a task that waited for another one did so before.
        # With more, it begins with `Begun`; the wait is bounded by the other task's deadline.
        deadline = self._deadline_from_now() if self.adapter.slots == 1 else None
        async with aclosing(self.adapter.run(task, inputs)) as steps:
            while True:
                try:
                    async with asyncio.timeout_at(deadline) as limit:  # never around a yield
                        step = await anext(steps, None)
                except TimeoutError:
                    if not limit.expired():  # it is the adapter's own
                        raise
                    await self.adapter.interrupt()
                    raise TaskFailed(
                        f"stopped after {self.deadline:g} s, the most that a task may run"
                        " (tasks.deadlineSeconds)"
                    ) from None
                match step:
                    case None:
                        return
                    case Begun():
                        deadline = self._deadline_from_now()
                yield step

    def _deadline_from_now(self) -> float:
        return asyncio.get_running_loop().time() + self.deadline

    async def _store(self, results: "Results") -> tuple[str, ...]:
        """Store the artifacts and the answer, all at once; return the URIs of the artifacts."""
        types = [named(artifact.data, artifact.name) for artifact in results.artifacts]
        uris = [
            f"{self.output}/{results.task.artifact_key(n, type_.extension)}"
            for n, type_ in enumerate(types, start=1)
        ]
        if (size := sum(len(uri.encode()) for uri in uris)) > _MOST_URI_BYTES:
            raise TaskFailed(
                f"the URIs of its {len(uris)} artifacts have {size} bytes, more than the"
                f" {_MOST_URI_BYTES} that are kept: let it make fewer, or shorten its prefix or id"
            )
        out = results.rendered(uris)
        objects = [
            (f"{self.output}/{results.task.output_key}", out, "application/json"),
            *(
                (uri, artifact.data, type_.content_type)
                for uri, artifact, type_ in zip(uris, results.artifacts, types, strict=True)
            ),
        ]
        # No order among them: nobody is told of any before the report, which comes after all.
        try:
            async with asyncio.TaskGroup() as group:
                for each in objects:
                    group.create_task(self._put(*each))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None  # the first ended the others
        return tuple(uris)

    async def _put(self, uri: str, body: bytes, content_type: str) -> None:
        """Store an object, once the store is there: the task is not drawn again for it."""
        await self._patience(lambda: self.objects.put(uri, body, content_type), DRAWN_SECONDS)
