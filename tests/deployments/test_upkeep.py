"""What becomes of a replica whose backend leaks or dies; over a real process, without Ray."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deployments.adapter import RuntimeSpec
from deployments.replica import Replica
from deployments.turns import MemoryTurns
from deployments.upkeep import Upkeep
from ingest.memory import MemoryObjects
from models.errors import RuntimeUnavailable
from models.report import Report, Status
from tests.deployments.backend.test_process import until
from tests.deployments.small_adapter import SmallAdapter, options
from tests.deployments.test_replica import replica, report_of, task

LEAK = "/leak/200"


@asynccontextmanager
async def kept(
    turns: MemoryTurns, name: str = "one", adapter: type[SmallAdapter] = SmallAdapter
) -> AsyncIterator[Upkeep]:
    made = replica(
        adapter(RuntimeSpec(name="small", options=options(memoryMib=150))), deadline=20.0
    )
    await made.adapter.ready()
    made.name = name
    upkeep = Upkeep(made, turns)
    yield upkeep
    await upkeep.close()
    await made.close()


@pytest.fixture
async def upkeep() -> AsyncIterator[Upkeep]:
    async with kept(MemoryTurns()) as made:
        yield made


def backend(made: Replica, report: Report) -> int:
    """Process id of the backend that did it."""
    assert isinstance(made.objects, MemoryObjects)
    assert report.status is Status.COMPLETED, report
    return int(json.loads(made.objects.bodies[report.output or ""])["backend"])


async def renewed(upkeep: Upkeep) -> None:
    assert upkeep.is_renewing
    await until(lambda: not upkeep.is_renewing)


async def test_a_bloated_backend_is_renewed_between_tasks(upkeep: Upkeep) -> None:
    """The task that runs and the one that waits are done, and one that comes later by the new."""
    made = upkeep.replica
    running = asyncio.create_task(report_of(made, task("s1", get=LEAK, seconds=1)))
    await until(made.adapter.is_bloated)
    waiting = asyncio.create_task(report_of(made, task("s2")))
    await asyncio.sleep(0.1)

    await upkeep.renew_if_due()
    later = asyncio.create_task(report_of(made, task("s3")))

    first, second, third = [backend(made, await one) for one in (running, waiting, later)]
    assert first == second != third
    await until(lambda: not upkeep.is_renewing)
    assert not made.adapter.is_bloated()
    await upkeep.check()


async def test_a_backend_within_its_limit_is_left_alone(upkeep: Upkeep) -> None:
    await upkeep.renew_if_due()

    assert not upkeep.is_renewing


async def test_replicas_are_renewed_one_at_a_time() -> None:
    turns = MemoryTurns()
    async with kept(turns, "one") as one, kept(turns, "two") as two:
        for each in (one, two):
            await report_of(each.replica, task(get=LEAK))

        await asyncio.gather(one.renew_if_due(), two.renew_if_due())
        first, second = (one, two) if one.is_renewing else (two, one)
        assert (first.is_renewing, second.is_renewing) == (True, False)
        await renewed(first)

        await second.renew_if_due()
        await renewed(second)


async def test_a_backend_that_dies_is_a_broken_replica(upkeep: Upkeep) -> None:
    await upkeep.check()
    await report_of(upkeep.replica, task(get="/exit/9"))

    assert "exit code 9" in await why_broken(upkeep)


class Once(SmallAdapter):
    """Gets ready the first time only."""

    readied = 0

    async def ready(self) -> None:
        type(self).readied += 1
        if self.readied > 1:
            raise RuntimeUnavailable("the GPU is gone")
        await super().ready()


async def test_a_renewal_that_fails_is_a_broken_replica_and_runs_nothing() -> None:
    async with kept(MemoryTurns(), adapter=Once) as upkeep:
        await report_of(upkeep.replica, task(get=LEAK))
        await upkeep.renew_if_due()

        assert await why_broken(upkeep) == "the GPU is gone"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(report_of(upkeep.replica, task()), 0.2)


async def why_broken(upkeep: Upkeep) -> str:
    async with asyncio.timeout(10):
        while True:
            try:
                await upkeep.check()
            except RuntimeUnavailable as exc:
                return str(exc)
            await asyncio.sleep(0.05)
