"""Batch: gathers single calls into batch calls."""

import asyncio
from collections.abc import Sequence

import pytest

from ingest.aws.batch import Batch
from models.errors import Unavailable


class Calls:
    """Batch calls that wait for permission, and refuse odd numbers above 100."""

    def __init__(self) -> None:
        self.made: list[Sequence[int]] = []
        self.go = asyncio.Event()

    async def send(self, entries: Sequence[int]) -> Sequence[Exception | None]:
        self.made.append(entries)
        await self.go.wait()
        return [Unavailable(str(n)) if n > 100 and n % 2 else None for n in entries]


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def batch(calls: Calls) -> Batch[int]:
    return Batch(calls.send)


async def test_the_first_entry_does_not_wait_for_others(calls: Calls, batch: Batch[int]) -> None:
    calls.go.set()
    await batch.add(1)

    assert calls.made == [[1]]


async def test_entries_of_one_moment_go_together(calls: Calls, batch: Batch[int]) -> None:
    calls.go.set()
    await asyncio.gather(*(batch.add(n) for n in range(25)))

    assert calls.made == [[*range(10)], [*range(10, 20)], [*range(20, 25)]]


async def test_entries_gather_while_a_call_is_under_way(calls: Calls, batch: Batch[int]) -> None:
    async with asyncio.TaskGroup() as group:
        for n in range(4):
            group.create_task(batch.add(n))
            await asyncio.sleep(0.001)
        calls.go.set()

    assert calls.made == [[0], [1, 2, 3]]


async def test_each_caller_hears_of_its_own_entry(calls: Calls, batch: Batch[int]) -> None:
    calls.go.set()
    answers = await asyncio.gather(*(batch.add(n) for n in (100, 101, 102)), return_exceptions=True)

    assert [str(answer) for answer in answers] == ["None", "101", "None"]


async def test_a_call_that_fails_fails_for_each_of_its_entries() -> None:
    async def send(entries: Sequence[int]) -> Sequence[Exception | None]:
        raise Unavailable(f"all {len(entries)}")

    batch = Batch(send)
    answers = await asyncio.gather(batch.add(1), batch.add(2), return_exceptions=True)

    assert [str(answer) for answer in answers] == ["all 2", "all 2"]
    with pytest.raises(Unavailable, match="all 1"):
        await batch.add(3)


async def test_a_caller_that_leaves_does_not_disturb_the_others(
    calls: Calls, batch: Batch[int]
) -> None:
    leaving, staying = asyncio.create_task(batch.add(1)), asyncio.create_task(batch.add(2))
    await asyncio.sleep(0.001)
    leaving.cancel()
    calls.go.set()
    await staying

    assert leaving.cancelled()
    assert calls.made == [[1, 2]]


async def test_what_nobody_waits_for_is_not_sent(calls: Calls, batch: Batch[int]) -> None:
    """Renewals that were cancelled must not arrive with the hand-back that follows."""
    going = asyncio.create_task(batch.add(1))
    await asyncio.sleep(0.001)
    renewal = asyncio.create_task(batch.add(2))
    await asyncio.sleep(0.001)
    renewal.cancel()
    hand_back = asyncio.create_task(batch.add(3))
    calls.go.set()
    await asyncio.gather(going, hand_back)

    assert calls.made == [[1], [3]]


def test_a_loop_that_ends_leaves_nobody_waiting() -> None:
    async def main() -> None:
        batch = Batch(Calls().send)
        waiting = asyncio.create_task(batch.add(1))
        await asyncio.sleep(0.001)
        waiting.get_loop().call_soon(asyncio.current_task().cancel)  # type: ignore[union-attr] # there is one
        await waiting

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
