"""Departure of a replica: what is handed back, and what ends."""

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence

import pytest

from deployments.departure import Departure, Signs
from models.errors import RuntimeUnavailable
from models.event import Update
from models.report import Progress, Stage

SECONDS = 5.0
"""Deadline of what must happen at once."""
STAYS = Signs(listed=True)
MISSED = Signs(listed=False)
PROGRESS = Progress(step=1, of=2)


class Leaving:
    """Replica whose signs a test sets."""

    def __init__(self, drain_seconds: float = 60) -> None:
        self.signs: Signs | None = STAYS
        self.departure = Departure(self._signs, stop_seconds=1_000, drain_seconds=drain_seconds)

    async def _signs(self) -> Signs:
        if self.signs is None:
            raise ConnectionError
        return self.signs

    async def see(self, *signs: Signs | None) -> None:
        for self.signs in signs:
            await self.departure.look()


class Run:
    """Run that a test leads on, and what a caller hears of it."""

    def __init__(self, departure: Departure) -> None:
        self.updates = asyncio.Queue[Update | None]()
        self.stopped = False
        self.heard: list[Update] = []
        self.task = asyncio.create_task(self._hear(departure))

    async def _run(self) -> AsyncGenerator[Update, None]:
        try:
            while (update := await self.updates.get()) is not None:
                yield update
        finally:
            self.stopped = True

    async def _hear(self, departure: Departure) -> Sequence[Update]:
        async for update in departure.bounded(self._run()):
            self.heard.append(update)
        return self.heard

    async def go(self, *updates: Update | None) -> None:
        for update in updates:
            self.updates.put_nowait(update)
        for _ in range(10):
            await asyncio.sleep(0)

    async def end(self) -> Sequence[Update]:
        return await asyncio.wait_for(self.task, SECONDS)

    async def has_gone(self) -> bool:
        """Tell whether it was handed back by now, and stop it."""
        has_gone = self.task.done()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        return has_gone


async def test_a_replica_that_stays_runs_its_tasks() -> None:
    replica = Leaving()
    run = Run(replica.departure)
    await replica.see(STAYS, STAYS)
    await run.go(Stage.RUNNING, PROGRESS, None)

    assert await run.end() == [Stage.RUNNING, PROGRESS]


async def test_what_waits_is_handed_back_and_what_was_begun_ends() -> None:
    replica = Leaving()
    begun, waits = Run(replica.departure), Run(replica.departure)
    await begun.go(Stage.RUNNING)
    await waits.go()
    await replica.see(STAYS, MISSED, MISSED)

    with pytest.raises(RuntimeUnavailable, match="its replica goes away"):
        await waits.end()
    assert waits.stopped
    await begun.go(PROGRESS, None)
    assert await begun.end() == [Stage.RUNNING, PROGRESS]


async def test_a_replica_that_is_to_go_takes_nothing_new() -> None:
    replica = Leaving()
    await replica.see(STAYS, MISSED, MISSED)

    run = Run(replica.departure)

    with pytest.raises(RuntimeUnavailable):
        await run.end()
    assert not run.heard


async def test_on_a_drained_node_what_was_begun_has_so_long_and_no_longer() -> None:
    replica = Leaving(drain_seconds=0)
    run = Run(replica.departure)
    await run.go(Stage.RUNNING)
    await replica.see(STAYS, MISSED, MISSED)
    await run.go(PROGRESS)
    assert not run.task.done()

    await replica.see(Signs(listed=False, node_seconds=100))

    with pytest.raises(RuntimeUnavailable):
        await run.end()
    assert run.stopped


@pytest.mark.parametrize(
    ("seconds", "handed_back"),
    [((5,), True), ((math.inf, 5), True), ((math.inf,), False), ((100,), False), ((5, 100), True)],
)
async def test_what_was_begun_has_no_longer_than_the_node(
    seconds: Sequence[float], handed_back: bool
) -> None:
    replica = Leaving(drain_seconds=300)
    run = Run(replica.departure)
    await run.go(Stage.RUNNING)
    await replica.see(*(Signs(listed=False, node_seconds=left) for left in seconds))
    await run.go()

    assert await run.has_gone() is handed_back


async def test_looks_from_before_it_was_counted_are_not_held_against_it() -> None:
    replica = Leaving()
    await replica.see(MISSED, MISSED)
    run = Run(replica.departure)
    await run.go()
    await replica.see(MISSED)
    await run.go()

    assert not await run.has_gone()


@pytest.mark.parametrize(
    ("signs", "goes"),
    [
        ([MISSED, MISSED, MISSED], False),  # it was never one of them: Serve is about to count it
        ([STAYS, MISSED], False),
        ([STAYS, MISSED, STAYS, MISSED], False),
        ([STAYS, MISSED, Signs(), MISSED], True),
        ([STAYS, MISSED, None, MISSED], True),
        ([STAYS, MISSED, MISSED, STAYS], False),  # its controller was restarted
        ([STAYS, Signs(), Signs()], False),  # nobody decides
        ([STAYS, None, None], False),
        ([Signs(node_seconds=110)], True),
        ([Signs(listed=True, node_seconds=110)], True),
        ([Signs(listed=True, node_seconds=5_000)], False),
        ([Signs(listed=True, node_seconds=math.inf)], False),
        ([STAYS, Signs(listed=False, node_seconds=math.inf)], True),
        ([Signs(listed=True, node_seconds=110), STAYS], False),
    ],
)
async def test_it_is_to_go_when_serve_stops_it(signs: Sequence[Signs | None], goes: bool) -> None:
    replica = Leaving()
    await replica.see(*signs)
    run = Run(replica.departure)
    await run.go()

    assert await run.has_gone() is goes


async def test_one_that_is_stopped_before_it_was_seen_to_be_counted_goes() -> None:
    replica = Leaving()
    run = Run(replica.departure)
    await run.go()
    await replica.see(MISSED, MISSED)

    with pytest.raises(RuntimeUnavailable):
        await run.end()


async def test_a_run_keeps_its_own_timeout() -> None:
    async def slow() -> AsyncGenerator[Update, None]:
        yield Stage.RUNNING
        raise TimeoutError("the backend's own")

    departure = Leaving().departure
    with pytest.raises(TimeoutError, match="the backend's own"):
        _ = [update async for update in departure.bounded(slow())]


async def test_a_caller_that_leaves_stops_the_run() -> None:
    run = Run(Leaving().departure)
    await run.go(Stage.RUNNING)
    run.task.cancel()
    await asyncio.gather(run.task, return_exceptions=True)

    assert run.stopped
