import pytest

from deployments.renewal_turns import MemoryTurns
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def turns(clock: Clock) -> MemoryTurns:
    return MemoryTurns(clock)


async def test_one_replica_has_the_turn_until_it_gives_it_back(turns: MemoryTurns) -> None:
    assert [await turns.take("a"), await turns.take("b")] == [True, False]

    await turns.give_back("b")
    assert not await turns.take("b")

    await turns.give_back("a")
    assert await turns.take("b")


async def test_the_turn_of_one_that_died_ends_by_itself(turns: MemoryTurns, clock: Clock) -> None:
    await turns.take("a")
    clock.now += 61

    assert await turns.take("b")
    assert not await turns.take("a")


async def test_one_that_asks_again_keeps_its_turn(turns: MemoryTurns, clock: Clock) -> None:
    for _ in range(10):
        assert await turns.take("a")
        clock.now += 30

    assert not await turns.take("b")


async def test_a_start_waits_longer_with_each_failure_in_a_row(turns: MemoryTurns) -> None:
    waits = [await turns.start_delay()]
    for _ in range(9):
        await turns.note_failure()
        waits.append(await turns.start_delay())

    assert waits == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_what_has_passed_of_a_pause_is_not_waited_again(
    turns: MemoryTurns, clock: Clock
) -> None:
    for _ in range(4):
        await turns.note_failure()
    clock.now += 5

    assert await turns.start_delay() == 3

    clock.now += 5
    assert await turns.start_delay() == 0


async def test_failures_long_ago_are_forgiven(turns: MemoryTurns, clock: Clock) -> None:
    for _ in range(9):
        await turns.note_failure()
    clock.now += 601
    await turns.note_failure()

    assert await turns.start_delay() == 1
