"""Leftovers: a cancelled task leaves no files, and nobody else's are touched."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence

import pytest
from typing_extensions import override

from ingest.memory import MemoryObjects
from models.errors import Unavailable
from models.event import Update
from models.ports import Objects, Runner
from models.report import Stage
from models.settings.groups import Tasks
from models.task import Task
from tests.ingest.world import OUTPUT, World, until

TASK = Task(submission="s1", id="a", runtime="sdruntime", kind="text-to-image", prefix="p")


class Storing(Runner):
    """Replicas that have stored a part of what they drew, and go on with it for a minute."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.stored = asyncio.Event()

    @override
    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        yield Stage.RUNNING
        for key in (task.artifact_key(1, ".png"), task.output_key):
            await self.objects.put(f"{OUTPUT}/{key}", b"", "")
        self.stored.set()
        await asyncio.sleep(60)


async def cancelled(objects: MemoryObjects) -> None:
    """Cancel a task while its result is stored; wait until its delivery has gone."""
    world = World(Tasks(leaseSeconds=3))
    world.worker.objects = objects
    runner = world.worker.runner = Storing(objects)
    await world.publish()
    async with world.working():
        await runner.stored.wait()
        await world.cancel("a", "s1")
        await until(lambda: world.queue.depth == 0)
        await until(lambda: not world.worker._leased)  # noqa: SLF001


async def test_a_task_that_is_cancelled_while_it_is_stored_leaves_no_files() -> None:
    objects = MemoryObjects()
    others = [
        f"{OUTPUT}/p/a/a-0123456789abcdef-1.png",
        f"{OUTPUT}/{TASK.stem}-1.png/b-0123456789abcdef.out",
        f"{OUTPUT}/{TASK.stem}b/c-0123456789abcdef-1.png",
    ]
    for uri in others:
        await objects.put(uri, b"", "")
    await cancelled(objects)

    assert sorted(objects.bodies) == sorted(others)


class Unlistable(MemoryObjects):
    """Store that lists nothing now."""

    @override
    async def list(self, uri: str) -> Sequence[str]:
        raise Unavailable("S3 is away")


async def test_files_that_cannot_be_removed_are_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        await cancelled(Unlistable())

    (said,) = [record for record in caplog.records if record.message == "artifacts_left"]
    assert said.__dict__["stem"] == TASK.stem
