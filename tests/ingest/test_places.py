"""Places at a runtime's replicas, over a runtime in memory."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from typing_extensions import override

from ingest.places import Places
from models.event import Update
from models.ports import Runner
from models.report import Stage
from models.task import Task
from tests.clock import Clock


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

    def __init__(self, replicas: "Replicas | None" = None) -> None:
        self.clock = Clock()
        self.replicas = replicas or Replicas()
        self.places = Places(self.replicas, self.clock)
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

    async def spread(self, replicas: int, after: float = 0) -> None:
        self.clock.now += after
        self.places.spread(replicas)
        await settled()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Busy(Replicas):
    """Replicas of which the first takes all runs until ``idle`` says how many others may."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = 1
        self.handed = ""
        self.begun = ""

    @override
    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        self.handed += task.id
        if not self.idle:
            yield Stage.WAITING
            await asyncio.Event().wait()
        self.idle -= 1
        self.begun += task.id
        async with aclosing(super().run(task, attempt)) as updates:
            async for update in updates:
                yield update


@asynccontextmanager
async def closing(line: Line) -> AsyncIterator[Line]:
    yield line
    for run in line.runs.values():
        run.cancel()
    await asyncio.gather(*line.runs.values(), return_exceptions=True)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with closing(Line()) as line:
        yield line


@pytest.fixture
def replicas() -> Busy:
    return Busy()


@pytest.fixture
async def behind(replicas: Busy) -> AsyncIterator[Line]:
    """Four runs at the only replica, of which one has its GPU."""
    async with closing(Line(replicas)) as line:
        await line.add("abcd")
        yield line


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


async def test_what_has_not_begun_comes_back_while_no_replica_is_there_and_goes_first(
    behind: Line, replicas: Busy
) -> None:
    """Serve would else start a replica for it, and ask the scaling policy no more until then."""
    await behind.resize(4)
    await behind.add("ef")
    await behind.resize(0)
    replicas.idle = 9
    at_zero = replicas.handed, behind.there
    await behind.end("a")
    after_the_end = replicas.handed
    await behind.resize(4)

    assert at_zero == ("abcd", "a")
    assert after_the_end == "abcd"
    assert replicas.begun == "abcde"
    assert behind.there == "bcde"


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


async def test_runs_that_wait_for_a_gpu_go_to_replicas_that_come_later(
    behind: Line, replicas: Busy
) -> None:
    replicas.idle = 2
    await behind.spread(3, after=0.5)
    too_early = replicas.begun
    await behind.spread(3, after=0.6)

    assert too_early == "a"
    assert replicas.begun == "abc"
    assert replicas.handed == "abcdbc"


async def test_no_run_is_moved_where_no_replica_is_idle(behind: Line, replicas: Busy) -> None:
    for count in (0, 1):
        await behind.spread(count, after=60)
    replicas.idle = 1
    await behind.spread(2)
    await behind.spread(2, after=60)

    assert replicas.handed == "abcdb"


async def test_one_that_was_just_handed_over_may_have_the_idle_replica(
    behind: Line, replicas: Busy
) -> None:
    behind.clock.now += 60
    replicas.idle = 1
    await behind.add("e")
    await behind.spread(2)

    assert (replicas.begun, replicas.handed) == ("ae", "abcde")


async def test_a_move_in_vain_is_tried_again_later_each_time(behind: Line, replicas: Busy) -> None:
    for _ in range(5):
        await behind.spread(2, after=1.5)

    assert replicas.handed == "abcd" + "bcbcd"


async def test_what_has_begun_is_not_moved(behind: Line, replicas: Busy) -> None:
    replicas.idle = 3
    await behind.spread(4, after=2)
    for _ in range(3):
        await behind.spread(9, after=60)

    assert replicas.handed == "abcdbcd"
    for name in "abcd":
        await behind.end(name)


async def test_one_that_gives_up_while_it_is_moved_makes_room(behind: Line, replicas: Busy) -> None:
    behind.places.resize(4)
    await behind.add("e")
    behind.clock.now += 2
    behind.places.spread(2)
    behind.runs["b"].cancel()
    await settled()

    assert behind.runs["b"].cancelled()
    assert replicas.handed == "abcde"
