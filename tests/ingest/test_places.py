"""Places at a runtime's replicas, over a runtime in memory."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from ingest.places import Places
from models.event import Update
from models.ports import Runner
from models.report import Stage
from models.task import Task


class Replicas(Runner):
    """Replicas whose runs go on until a test ends them."""

    def __init__(self) -> None:
        self.there: dict[str, asyncio.Event] = {}

    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        del attempt
        self.there[task.id] = asyncio.Event()
        try:
            yield Stage.RUNNING
            await self.there[task.id].wait()
        finally:
            del self.there[task.id]


class Line:
    """Runs that were begun, each in a task of its own."""

    def __init__(self) -> None:
        self.replicas = Replicas()
        self.places = Places(self.replicas)
        self.runs: dict[str, asyncio.Task[None]] = {}

    async def add(self, names: str) -> None:
        for name in names:
            self.runs[name] = asyncio.create_task(self._run(name))
        await settled()

    async def _run(self, name: str) -> None:
        task = Task(submission=name, id=name, runtime="sketcher", kind="text-to-image")
        assert [each async for each in self.places.run(task, 1)] == [Stage.RUNNING]

    async def end(self, name: str) -> None:
        self.replicas.there[name].set()
        await self.runs[name]
        await settled()

    async def resize(self, count: float) -> None:
        self.places.resize(count)
        await settled()

    @property
    def there(self) -> str:
        return "".join(self.replicas.there)


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    line = Line()
    yield line
    for run in line.runs.values():
        run.cancel()
    await asyncio.gather(*line.runs.values(), return_exceptions=True)


async def test_all_are_there_until_a_limit_is_set(line: Line) -> None:
    await line.add("abcdefgh")

    assert line.there == "abcdefgh"


async def test_no_more_are_there_at_once_and_the_first_comes_first(line: Line) -> None:
    await line.resize(2)
    await line.add("abcd")
    assert line.there == "ab"

    await line.end("b")

    assert line.there == "ac"


async def test_while_no_replica_is_there_all_wait(line: Line) -> None:
    await line.resize(0)
    await line.add("abc")
    assert line.there == ""

    await line.resize(4)

    assert line.there == "abc"


async def test_those_that_are_there_stay_when_replicas_go(line: Line) -> None:
    await line.resize(2)
    await line.add("abc")
    await line.resize(1)
    await line.end("a")
    assert line.there == "b"

    await line.end("b")

    assert line.there == "c"


async def test_one_that_gives_up_makes_room(line: Line) -> None:
    await line.resize(1)
    await line.add("abcd")
    for name in "ba":  # one that waits, and the one that is there
        line.runs[name].cancel()
    await settled()

    assert line.there == "c"
    await line.end("c")
    assert line.there == "d"


async def test_one_that_gives_up_as_its_turn_comes_passes_it_on(line: Line) -> None:
    await line.resize(0)
    await line.add("ab")
    line.places.resize(1)
    line.runs["a"].cancel()
    await settled()

    assert line.there == "b"
