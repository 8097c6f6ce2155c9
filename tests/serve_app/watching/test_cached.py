"""Cached answers are asked for once for all, and again when they are old."""

import asyncio

import pytest

from models.errors import Unavailable
from serve_app.watching.cached import Cached
from tests.clock import Clock


class Source:
    """Source of numbers that counts its calls and can be unavailable."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False

    async def __call__(self) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable
        return self.asked


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def cached(source: Source, clock: Clock) -> Cached[int]:
    return Cached(source, 2, clock)


async def test_many_who_ask_at_once_share_an_answer(cached: Cached[int], source: Source) -> None:
    assert await asyncio.gather(*(cached() for _ in range(500))) == [1] * 500
    assert source.asked == 1


async def test_an_old_answer_is_asked_for_again(cached: Cached[int], clock: Clock) -> None:
    answers = []
    for passed in (0, 1, 2):
        clock.now = 1_000 + passed
        answers.append(await cached())

    assert answers == [1, 1, 2]


async def test_no_answer_is_an_answer(cached: Cached[int], source: Source, clock: Clock) -> None:
    source.away = True
    silent = [await cached(), await cached()]
    source.away = False
    clock.now += 2

    assert silent == [None, None]
    assert await cached() == 2


async def test_who_asks_may_leave_and_another_is_answered(
    cached: Cached[int], source: Source
) -> None:
    leaving = asyncio.create_task(cached())
    staying = asyncio.create_task(cached())
    await asyncio.sleep(0)
    leaving.cancel()

    assert await staying == 2
