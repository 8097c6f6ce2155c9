"""Attempts of tasks on a replica whose backend is killed: only the one that ran has spent one."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress

import psutil
import pytest
from typing_extensions import override

from deployments.adapter import RuntimeSpec
from deployments.replica import Replica
from models.errors import RuntimeUnavailable
from models.event import Update
from models.ports import Runner
from models.report import Stage
from models.settings.groups import Tasks
from models.task import Task
from tests.deployments.small_adapter import BACKEND, SmallAdapter, options
from tests.deployments.test_replica import replica
from tests.ingest.world import World, message, until


class Replaced(Runner):
    """Replica in whose place comes another as soon as it can run no further task."""

    def __init__(self) -> None:
        self.made: list[Replica] = []
        self.begun: list[str] = []
        """Submissions of the tasks that had the GPU, in their order."""
        self._making = asyncio.Lock()

    @override
    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        made = await self._alive()
        async with aclosing(made.run(task, attempt)) as updates:
            async for update in updates:
                if update is Stage.RUNNING:
                    self.begun.append(task.submission)
                yield update

    async def _alive(self) -> Replica:
        async with self._making:
            if self.made:
                with suppress(RuntimeUnavailable):
                    await self.made[-1].adapter.check()
                    return self.made[-1]
            adapter = SmallAdapter(RuntimeSpec(name="sdruntime", options=options()))
            self.made.append(replica(adapter, deadline=20.0))
            await adapter.ready()
            return self.made[-1]


@pytest.fixture
async def runner() -> AsyncIterator[Replaced]:
    made = Replaced()
    yield made
    for each in made.made:
        await each.close()


async def test_what_waited_for_a_backend_that_was_killed_has_spent_no_attempt(
    runner: Replaced,
) -> None:
    world = World(Tasks(leaseSeconds=10))
    world.worker.runner = runner
    names = [f"s{n}" for n in range(4)]
    body = json.dumps(message() | {"content": {"get": "/wait/0.5"}})
    for name in names:
        await world.tasks.publish(body, {"submission": name})

    async with world.working():
        await until(lambda: len(runner.begun) == 1, seconds=20)
        await asyncio.sleep(0.2)  # all four are with the replica by now
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it may end with the one before, a zombie then
                if str(BACKEND) in process.cmdline()[:3]:
                    process.kill()
        await world.notifications(4)

    reports = [await world.ledger.find("a", name) for name in names]
    attempts = {report.submission: report.attempt for report in reports if report}
    assert len(runner.made) == 2
    assert attempts == {**dict.fromkeys(names, 1), runner.begun[0]: 2}
    assert len(runner.begun) == 5
