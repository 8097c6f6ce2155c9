"""Outages of hours: what is drawn is drawn once, and what is told is told once."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from typing_extensions import override

from ingest.memory import MemoryLedger, MemoryQueue
from models.errors import Unavailable
from models.fence import Fence
from models.ports import Delivery
from models.report import Report, Status
from tests.ingest.protocol.faults import Kind
from tests.ingest.protocol.virtual_loop import VirtualLoop
from tests.ingest.protocol.world import INGESTS, RULES, RUN_SECONDS, World

HOUR = 3_600.0


class EndsNothing(MemoryLedger):
    """Ledger that takes no end of a task in the first hour."""

    @override
    async def finish(self, report: Report, fence: Fence) -> Report:
        if self.clock() < HOUR:
            raise Unavailable("the ledger is away")
        return await super().finish(report, fence)


class Stumbling(MemoryQueue):
    """Queue whose first renewal of a lease meets a fault that nobody foresaw."""

    is_well = False
    deliveries = 0

    @override
    async def receive(self, most: int) -> Sequence[Delivery]:
        deliveries = await super().receive(most)
        self.deliveries += len(deliveries)
        return deliveries

    @override
    async def extend(self, delivery: Delivery, seconds: int) -> None:
        if not self.is_well:
            self.is_well = True
            raise KeyError(delivery.id)
        await super().extend(delivery, seconds)


@contextmanager
def running(**parts: Any) -> Iterator[tuple[VirtualLoop, World]]:
    loop = VirtualLoop()

    async def made() -> World:
        return World(**parts)

    async def end() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        yield loop, loop.run_until_complete(made())
        loop.run_until_complete(end())
    finally:
        loop.close()


def test_an_end_is_kept_until_the_ledger_takes_it() -> None:
    with running(ledger=EndsNothing) as (loop, world):
        submission = loop.run_until_complete(world.submit("owl"))
        loop.run_until_complete(asyncio.sleep(HOUR + 60))
        report = loop.run_until_complete(world.ledger.find("owl"))

    assert report is not None
    assert (report.status, world.runtime.runs) == (Status.COMPLETED, {submission: 1})


def test_a_lease_whose_renewal_stumbles_is_renewed_on() -> None:
    """The task runs for several leases, and nobody else has it meanwhile."""
    with running(queue=Stumbling) as (loop, world):
        assert isinstance(world.queue, Stumbling)
        world.runtime.seconds = 100.0
        submission = loop.run_until_complete(world.submit("owl"))
        loop.run_until_complete(asyncio.sleep(300))

    assert (world.queue.deliveries, world.queue.depth) == (1, 0)
    assert world.runtime.runs == {submission: 1}
    assert [body["status"] for body in world.told()[submission or ""]] == ["completed"]


def test_a_start_that_lands_when_its_run_was_given_up_costs_a_lease_at_most() -> None:
    """A drain that is over waits for the ledger for five seconds, and it answers after seven."""
    with running() as (loop, world):
        for ingest in world.ingests:
            ingest.process.arm("start", Kind.DELAYED)
        submission = loop.run_until_complete(world.submit("owl"))
        loop.run_until_complete(asyncio.sleep(1))
        for number in range(INGESTS):
            loop.run_until_complete(world.cut_off(number))
        loop.run_until_complete(asyncio.sleep(RULES.lease_seconds + 15))
        report = loop.run_until_complete(world.ledger.find("owl"))

    assert report is not None
    assert (report.status, report.attempt) == (Status.COMPLETED, 1)
    assert [body["status"] for body in world.told()[submission or ""]] == ["completed"]


def test_a_drain_that_is_over_while_the_calls_queue_is_away_has_nobody_told_again() -> None:
    with running() as (loop, world):
        world.calls.is_away = True
        submission = loop.run_until_complete(world.submit("owl"))
        loop.run_until_complete(asyncio.sleep(RUN_SECONDS + 3))
        for number in range(INGESTS):
            loop.run_until_complete(world.cut_off(number))
        loop.run_until_complete(asyncio.sleep(60))
        world.calls.is_away = False
        loop.run_until_complete(asyncio.sleep(60))

    assert {name: len(bodies) for name, bodies in world.told().items()} == {submission: 1}
    assert [call["event"] for call in world.called()[submission or ""]] == ["completed"]


def test_subscribers_are_told_once_while_the_calls_queue_is_away_for_an_hour() -> None:
    with running() as (loop, world):
        world.calls.is_away = True
        submission = loop.run_until_complete(world.submit("owl"))
        loop.run_until_complete(asyncio.sleep(60))
        places = [ingest.worker._leased for ingest in world.ingests]  # noqa: SLF001
        loop.run_until_complete(asyncio.sleep(HOUR))
        world.calls.is_away = False
        loop.run_until_complete(asyncio.sleep(60))

    assert places == [0, 0]
    assert {name: len(bodies) for name, bodies in world.told().items()} == {submission: 1}
    assert [call["event"] for call in world.called()[submission or ""]] == ["completed"]
    assert world.queue.depth == 0
