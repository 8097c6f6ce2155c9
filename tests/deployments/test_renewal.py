"""Replicas whose backend leaks or dies; over a real process, without Ray."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deployments.adapter import Adapter, RuntimeSpec
from deployments.renewal import Renewal
from deployments.renewal_turns import MemoryTurns
from deployments.replica import Replica
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
) -> AsyncIterator[Renewal]:
    made = replica(
        adapter(RuntimeSpec(name="small", options=options(memoryMib=150))), deadline=20.0
    )
    await made.adapter.ready()
    made.name = name
    renewal = Renewal(made, turns)
    yield renewal
    await renewal.close()
    await made.close()


@pytest.fixture
async def renewal() -> AsyncIterator[Renewal]:
    async with kept(MemoryTurns()) as made:
        yield made


def backend(made: Replica, report: Report) -> int:
    """Read the process id of the backend that ran the task."""
    assert isinstance(made.objects, MemoryObjects)
    assert report.status is Status.COMPLETED, report
    return int(json.loads(made.objects.bodies[report.output or ""])["backend"])


async def renewed(renewal: Renewal, before: Adapter) -> None:
    """Wait until a renewal has put another adapter in the place of this one, which runs tasks."""
    await until(lambda: renewal.replica.adapter is not before)
    assert (await report_of(renewal.replica, task())).status is Status.COMPLETED


async def test_a_bloated_backend_is_renewed_between_tasks(renewal: Renewal) -> None:
    """The task that runs and the one that waits are done, and one that comes later by the new."""
    made, before = renewal.replica, renewal.replica.adapter
    running = asyncio.create_task(report_of(made, task("s1", get=LEAK, seconds=1)))
    await until(made.adapter.is_bloated)
    waiting = asyncio.create_task(report_of(made, task("s2")))
    await asyncio.sleep(0.1)

    await renewal.renew_if_due()
    later = asyncio.create_task(report_of(made, task("s3")))

    first, second, third = [backend(made, await one) for one in (running, waiting, later)]
    assert first == second != third
    await renewed(renewal, before)
    assert not made.adapter.is_bloated()
    await renewal.check()


async def test_a_backend_within_its_limit_is_left_alone(renewal: Renewal) -> None:
    await renewal.renew_if_due()

    assert await renewal.turns.take("another"), "the turn was taken"


async def test_replicas_are_renewed_one_at_a_time() -> None:
    turns = MemoryTurns()
    async with kept(turns, "one") as one, kept(turns, "two") as two:
        before = {each: each.replica.adapter for each in (one, two)}
        for each in before:
            await report_of(each.replica, task(get=LEAK))

        await asyncio.gather(*(each.renew_if_due() for each in before))
        await until(lambda: any(each.replica.adapter is not old for each, old in before.items()))
        first, second = (one, two) if one.replica.adapter is not before[one] else (two, one)
        await renewed(first, before[first])
        assert second.replica.adapter is before[second]

        await second.renew_if_due()
        await renewed(second, before[second])


async def test_a_backend_that_dies_is_a_broken_replica(renewal: Renewal) -> None:
    await renewal.check()
    await report_of(renewal.replica, task(get="/exit/9"))

    assert "exit code 9" in await why_broken(renewal)


class Once(SmallAdapter):
    """Gets ready the first time only."""

    readied = 0

    async def ready(self) -> None:
        type(self).readied += 1
        if self.readied > 1:
            raise RuntimeUnavailable("the GPU is gone")
        await super().ready()


async def test_a_renewal_that_fails_is_a_broken_replica_and_runs_nothing() -> None:
    async with kept(MemoryTurns(), adapter=Once) as renewal:
        await report_of(renewal.replica, task(get=LEAK))
        await renewal.renew_if_due()

        assert await why_broken(renewal) == "the GPU is gone"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(report_of(renewal.replica, task()), 0.2)


async def why_broken(renewal: Renewal) -> str:
    async with asyncio.timeout(10):
        while True:
            try:
                await renewal.check()
            except RuntimeUnavailable as exc:
                return str(exc)
            await asyncio.sleep(0.05)
