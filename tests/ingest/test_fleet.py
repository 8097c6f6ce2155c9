"""Fleet: only tasks that a replica could take are demand, and ingest follows the replicas."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from typing_extensions import override

from ingest.fleet import Fleet, RuntimeFleet
from ingest.loops import Loops
from ingest.memory import MemoryFleetStore, MemoryLedger, MemoryObjects, MemoryQueue
from ingest.paces import RuntimePace
from ingest.places import Places
from models.errors import Unavailable
from models.event import Update
from models.fleet import Demand, Supply
from models.live import FleetStore
from models.ports import Delivery, Runner
from models.report import Report, Stage, Status
from models.runtimes.content import Fault
from models.settings.groups import Tasks
from models.task import Task
from tests.clock import Clock
from tests.ingest.world import World, until

TASK = Task(submission="s1", id="a", runtime="sdruntime", kind="text-to-image", prefix="p")


class Store(MemoryFleetStore):
    """Store that keeps every demand, and may be away."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[Demand] = []
        self.away = False

    @property
    def newest(self) -> Demand:
        return self.written[-1] if self.written else Demand(waiting=0, running=0)

    @override
    async def write_demand(self, runtime: str, ingest: str, demand: Demand) -> None:
        if self.away:
            raise Unavailable("Ray's head did not answer")
        self.written.append(demand)
        await super().write_demand(runtime, ingest, demand)


@pytest.fixture
def world() -> World:
    return World(Tasks(leaseSeconds=3))


@pytest.fixture
def store() -> Store:
    return Store()


def fleet_of(world: World, store: FleetStore, **rules: Any) -> RuntimeFleet:
    given: dict[str, Any] = {
        "ingest": "this",
        "places": Places(world.runtime),
        "admit": 2,
        "lookahead": 1,
        "most_replicas": 3,
        "polling_seconds": 0.1,
    }
    return RuntimeFleet(
        runtime="sdruntime",
        worker=world.worker,
        pace=world.board.runtimes.of("sdruntime"),
        store=store,
        **(given | rules),
    )


@asynccontextmanager
async def following(world: World, store: FleetStore, **rules: Any) -> AsyncIterator[None]:
    """Let a world's worker follow its fleet while the block runs."""
    fleet = Fleet([fleet_of(world, store, **rules)])
    work = asyncio.create_task(fleet.work())
    try:
        yield
    finally:
        fleet.drain()
        await work


def refuse(kind: str, content: Any) -> Sequence[Fault]:
    del kind, content
    return (Fault("prompt", "must not be empty"),)


async def test_a_message_that_is_refused_is_no_demand(world: World, store: Store) -> None:
    world.worker.judge = refuse
    await store.write_supply("sdruntime", Supply(wanted=0))

    async with following(world, store), world.working():
        for number in range(20):  # more than are leased at once
            await world.publish(submission=f"s{number}")
        await world.notifications(20)
        await until(lambda: len(store.written) > 5)

    assert world.worker.asleep
    assert world.runtime.runs == 0
    assert {(demand.waiting, demand.running) for demand in store.written} == {(0, 0)}


class SlowObjects(MemoryObjects):
    """Store that takes a while for each object."""

    @override
    async def put(self, uri: str, data: bytes, content_type: str) -> None:
        await asyncio.sleep(0.15)
        await super().put(uri, data, content_type)


@pytest.mark.parametrize(("good", "bad", "most"), [(0, 60, 0), (1, 60, 1), (60, 0, 60)])
async def test_what_there_is_no_room_for_counts_while_most_of_what_is_leased_is_tasks(
    world: World, store: Store, good: int, bad: int, most: int
) -> None:
    world.worker.objects = SlowObjects()
    world.runtime.acts = [60.0]
    for number in range(good):
        await world.publish(submission=f"good{number}")
    for number in range(bad):
        await world.publish(submission=f"bad{number}", tasktype="image-to-image")

    async with following(world, store), world.working() as work:
        await until(lambda: len(world.results.published) == bad)
        await until(lambda: max((demand.tasks for demand in store.written), default=-1) == most)
        await until(lambda: store.newest.tasks == most)
        work.cancel()

    assert max(demand.tasks for demand in store.written) == most


async def test_no_task_is_a_measurement_only_when_older_leases_have_lapsed(
    world: World, store: Store
) -> None:
    clock = Clock()
    world.runtime.acts = [0.3]
    pace = world.board.runtimes.of("sdruntime")

    async with following(world, store, clock=clock, lease_seconds=30), world.working():
        await until(lambda: pace.demand is not None and pace.demand.beat > 2)
        at_first = list(store.written)
        await world.publish()
        await world.notifications(1)
        await until(lambda: pace.demand is not None and pace.demand.tasks == 0)
        within = list(store.written)
        clock.now += 30
        await until(lambda: bool(store.written) and store.newest.tasks == 0)

    assert at_first
    assert not any(demand.is_known or demand.tasks for demand in at_first)
    assert all(demand.tasks == 1 for demand in within if demand.is_known)
    assert {demand.tasks for demand in within[len(at_first) + 1 :]} == {1}
    assert not within[-1].is_known
    assert (store.newest.tasks, store.newest.is_known) == (0, True)


class AwayLedger(MemoryLedger):
    """Ledger that may not answer."""

    away = False

    @override
    async def queue(self, task: Task, key: str | None = None, *, published: bool = True) -> Report:
        if self.away:
            raise Unavailable("the ledger did not answer")
        return await super().queue(task, key, published=published)


class AwayQueue(MemoryQueue):
    """Queue that may not answer."""

    away = False

    @override
    async def receive(self, most: int) -> Sequence[Delivery]:
        if self.away:
            raise Unavailable("the queue did not answer")
        return await super().receive(most)


@pytest.mark.parametrize("part", ["ledger", "queue"])
async def test_an_outage_does_not_tell_that_there_is_less_to_do(
    world: World, store: Store, part: str
) -> None:
    clock = Clock()
    ledger, queue = AwayLedger(), AwayQueue(visibility=60, wait=0.05)
    world.worker.ledger, world.worker.queue = ledger, queue
    world.tasks.subscribe(queue)
    await store.write_supply("sdruntime", Supply(wanted=0))  # so that the ledger is asked first
    pace = world.board.runtimes.of("sdruntime")

    async def measured(times: int = 4) -> Sequence[Demand]:
        """Wait for so many measurements; return those that were told."""
        told = len(store.written)
        beat = pace.demand.beat if pace.demand else 0
        await until(lambda: pace.demand is not None and pace.demand.beat >= beat + times)
        return store.written[told:]

    async with following(world, store, clock=clock, lease_seconds=30), world.working():
        await until(lambda: pace.demand is not None)  # the clock is read by now
        clock.now += 30
        idle = await measured()
        ledger.away = queue.away = True
        (queue if part == "ledger" else ledger).away = False
        await world.publish()
        await until(lambda: world.worker.outages > 0)
        await measured(1)
        during = await measured()
        ledger.away = queue.away = False
        await until(lambda: not world.worker.patience.is_tried or part == "ledger")
        await measured(1)
        clock.now += 30
        after = await measured()
        clock.now += 2
        later = await measured()

    assert idle
    assert len({demand.beat for demand in during}) >= 3  # this ingest is still there
    assert all(demand.tasks or not demand.is_known for demand in (*during, *after))
    assert (later[-1].tasks, later[-1].is_known) == (0, True)


async def test_a_poll_that_answers_ends_the_pauses_of_one_that_did_not(world: World) -> None:
    queue = world.worker.queue = AwayQueue(visibility=60, wait=0.01)
    queue.away = True
    async with world.working():
        await until(lambda: world.worker.outages == 3)
        queue.away = False
        polls = 0

        async def receive(most: int) -> Sequence[Delivery]:
            nonlocal polls
            polls += 1
            return await MemoryQueue.receive(queue, most)

        queue.receive = receive  # type: ignore[method-assign] # to count them
        await until(lambda: polls > 5)

    assert polls > 5


async def test_runs_at_replicas_that_leave_take_no_place_at_those_that_stay(
    world: World, store: Store
) -> None:
    places = world.worker.runner = Places(world.runtime)
    world.runtime.acts = [60.0]
    await store.write_supply("sdruntime", Supply(wanted=3, running=("a", "b", "c")))

    async with (
        following(world, store, places=places, admit=2, lookahead=0),
        world.working() as work,
    ):
        for number in range(3):
            await world.publish(submission=f"s{number}")
        await until(lambda: store.newest.running == 3)
        await store.write_supply("sdruntime", Supply(wanted=1, running=("c",), beat=1))
        await until(lambda: world.worker.capacity < 6)
        await world.cancel("a", "s0")
        await world.publish(submission="s3")
        await until(lambda: world.runtime.runs == 4)
        work.cancel()


async def test_seconds_are_those_of_the_ingest_before_until_tasks_have_ended(
    world: World, store: Store
) -> None:
    before = Demand(waiting=0, running=2, seconds=4.0, load_seconds=9.0, load_share=0.5, beat=70)
    await MemoryFleetStore.write_demand(store, "sdruntime", "another", before)
    pace = world.board.runtimes.of("sdruntime")

    async with following(world, store):
        await until(lambda: bool(store.written))
    pace.add(completed("r", "a", run=9.0), "a")
    with pace.holding(0) as hold, hold.waiting("a"):
        after = pace.measure(0)

    first = store.written[0]
    assert (first.seconds, first.load_seconds, first.load_share) == (4.0, 9.0, 0.5)
    assert (after.seconds, after.load_seconds, after.load_share) == (9.0, 9.0, 0.5)


async def test_tasks_that_wait_behind_another_go_to_replicas_that_come_later(
    world: World, store: Store
) -> None:
    clock = Clock()
    runtime = OneReplicaThenMore()
    places = Places(runtime, clock)
    world.worker.runner = places
    for number in range(2):
        await world.publish(submission=f"s{number}")
    await store.write_supply("sdruntime", Supply(wanted=2, running=("a",)))

    async with following(world, store, places=places), world.working() as work:
        await until(lambda: runtime.told == ["begun", "waits"])
        runtime.idle += 1
        clock.now += 2
        await store.write_supply("sdruntime", Supply(wanted=2, running=("a", "b"), beat=1))
        await until(lambda: store.newest.running == 2)
        rows = [await world.ledger.find("a", f"s{number}") for number in range(2)]
        work.cancel()

    assert runtime.told == ["begun", "waits", "begun"]
    assert [row and row.attempt for row in rows] == [1, 1]


@pytest.mark.parametrize(("ingests", "handed"), [((), 4), (("a", "b"), 2)])
async def test_tasks_wait_on_where_the_other_replicas_may_be_those_of_another_ingest(
    world: World, store: Store, ingests: tuple[str, ...], handed: int
) -> None:
    """Two replicas run tasks that this ingest did not send; alone, it looks for idle ones."""
    clock = Clock()
    runtime = OneReplicaThenMore(idle=0)
    places = Places(runtime, clock)
    world.worker.runner = places
    for number in range(2):
        await world.publish(submission=f"s{number}")
    supply = Supply(wanted=2, running=("r", "q"), ingests=ingests)
    await store.write_supply("sdruntime", supply)

    async with following(world, store, ingest="b", places=places), world.working() as work:
        await until(lambda: len(runtime.told) == 2)
        clock.now += 2
        before = len(store.written)
        await until(lambda: len(store.written) > before + 2)
        work.cancel()

    assert runtime.told == ["waits"] * handed


class OneReplicaThenMore(Runner):
    """Replicas of which ``idle`` have no task; what none of those begins waits for ever."""

    def __init__(self, idle: int = 1) -> None:
        self.idle = idle
        self.told: list[str] = []

    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        del task, attempt
        if self.idle:
            self.idle -= 1
            self.told.append("begun")
            yield Stage.RUNNING
        else:
            self.told.append("waits")
            yield Stage.WAITING
        await asyncio.Event().wait()


async def test_a_task_that_waits_is_demand_until_it_has_ended(world: World, store: Store) -> None:
    gpu = world.runtime.slots = asyncio.Semaphore(0)
    world.runtime.acts = [0.5]
    await store.write_supply("sdruntime", Supply(wanted=0))

    async with following(world, store), world.working():
        await world.publish()
        await until(lambda: store.newest.waiting == 1)
        await until(lambda: store.newest.oldest_seconds > 0.2)
        gpu.release()
        await until(lambda: store.newest.running == 1)
        running = store.newest
        await world.notifications(1)
        await until(lambda: store.newest.running == 0)

    assert (running.waiting, running.oldest_seconds) == (0, 0)
    assert (store.newest.waiting, store.newest.seconds) == (0, 0.5)
    assert [demand.beat for demand in store.written] == [*range(1, len(store.written) + 1)]


async def test_what_there_is_no_room_for_is_demand_too(world: World, store: Store) -> None:
    world.runtime.slots = asyncio.Semaphore(1)
    world.runtime.acts = [60.0]
    for number in range(20):
        await world.publish(submission=f"s{number}")

    async with following(world, store), world.working() as work:
        await until(lambda: store.newest.waiting == 19)
        work.cancel()

    assert store.newest.running <= 1


async def test_a_task_waits_for_a_replica_unless_nobody_tells_of_any(
    world: World, store: Store
) -> None:
    clock = Clock()
    places = Places(world.runtime)
    await store.write_supply("sdruntime", Supply(wanted=1, beat=1))

    async with following(world, store, places=places, clock=clock):
        await until(lambda: len(store.written) > 1)
        async with aclosing(places.run(TASK, 1)) as run:
            first = asyncio.ensure_future(anext(run))
            await until(lambda: len(store.written) > 3)
            assert not first.done()

            clock.now += 60
            assert await first is Stage.RUNNING


async def test_a_queue_that_was_emptied_is_no_demand_any_more(world: World, store: Store) -> None:
    """The queue's own count lags behind, as that of SQS."""

    async def five() -> int:
        return 5

    world.runtime.acts = [60.0]
    world.queue.backlog = five  # type: ignore[method-assign] # as SQS counts
    for number in range(4):
        await world.publish(submission=f"s{number}")

    async with following(world, store), world.working() as work:
        await until(lambda: store.newest.waiting == 5)
        world.worker.resize(5)
        await until(lambda: store.newest.waiting == 0)
        work.cancel()

    assert world.runtime.runs == 4


@pytest.mark.parametrize(("running", "capacity"), [(0, 3), (1, 3), (2, 5), (3, 7), (4, 7)])
async def test_as_much_is_leased_as_the_replicas_admit(
    world: World, store: Store, running: int, capacity: int
) -> None:
    names = tuple(f"r-{number}" for number in range(running))
    await store.write_supply("sdruntime", Supply(wanted=running, running=names))

    async with following(world, store):
        await until(lambda: world.worker.capacity == capacity)

    assert world.worker.asleep == (running == 0)


async def test_more_is_leased_as_soon_as_replicas_come(world: World, store: Store) -> None:
    world.runtime.acts = [60.0]
    for number in range(9):
        await world.publish(submission=f"s{number}")

    async with following(world, store), world.working() as work:
        await store.write_supply("sdruntime", Supply(wanted=1))
        await until(lambda: world.runtime.runs == 3)
        await store.write_supply("sdruntime", Supply(wanted=3, running=("a", "b", "c")))
        await until(lambda: world.runtime.runs == 7)
        is_full = world.worker.is_full
        work.cancel()

    assert is_full


def completed(replica: str, checkpoint: str, **seconds: float) -> Report:
    report = replace(Report.of(TASK, Status.RUNNING, 1), replica=replica, checkpoint=checkpoint)
    return report.completed((), "s3://o/a.out", seconds)


async def test_the_checkpoints_of_replicas_that_are_gone_are_forgotten(
    world: World, store: Store
) -> None:
    pace = world.board.runtimes.of("sdruntime")
    pace.add(completed("r-1", "one"), None)
    pace.add(completed("r-2", "two"), None)
    before = pace.now().checkpoints
    await store.write_supply("sdruntime", Supply(wanted=1, running=("r-2",)))

    async with following(world, store):
        await until(lambda: pace.supply is not None)

    assert before == ("one", "two")
    assert (await world.board.paces())["sdruntime"].checkpoints == ("two",)


def test_seconds_are_those_of_the_checkpoints_that_are_asked_for() -> None:
    pace = RuntimePace(lambda: 100.0)
    unmeasured = pace.measure(0)
    pace.add(completed("r", "a", run=1.0, load=0.01), "a")
    pace.add(completed("r", "b", run=9.0, load=4.0), "b")
    idle = pace.measure(0)
    with (
        pace.holding(40.0) as first,
        pace.holding(90.0) as second,
        pace.holding(0) as third,
        first.waiting("a"),
        second.waiting("a"),
        third.waiting("b"),
    ):
        waiting = pace.measure(7)

    assert (unmeasured.seconds, unmeasured.load_seconds, unmeasured.load_share) == (None, None, 0)
    assert (idle.seconds, idle.load_seconds, idle.load_share) == (2.6, 4.0, 0.2)
    assert (waiting.waiting, waiting.oldest_seconds) == (10, 60)
    assert waiting.seconds == pytest.approx(11 / 3)


def test_the_first_checkpoint_of_a_replica_is_no_change_of_checkpoints() -> None:
    """A first load belongs to a start: what many begin with at once says nothing of later."""
    pace = RuntimePace(lambda: 0.0)
    for replica in ("r-1", "r-2", "r-3"):
        pace.add(completed(replica, "a", run=1.0, load=4.0), "a")
    started = pace.measure(0)
    pace.add(completed("r-1", "b", run=1.0, load=4.0), "b")

    assert (started.load_share, pace.measure(0).load_share) == (0, 0.2)


def test_names_of_checkpoints_without_end_are_not_all_kept() -> None:
    pace = RuntimePace(lambda: 0.0)
    for number in range(1_500):
        pace.add(completed("r", "x", run=float(number)), f"name-{number}")
    with pace.holding(0) as first, first.waiting("name-0"):
        of_a_forgotten_one = pace.measure(0).seconds

    assert of_a_forgotten_one is not None
    assert of_a_forgotten_one > 1_000


async def test_a_store_that_is_away_changes_nothing_and_is_told_once(
    world: World, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await store.write_supply("sdruntime", Supply(wanted=2, running=("a", "b")))

    async with following(world, store):
        await until(lambda: world.worker.capacity == 5)
        store.away = True
        await asyncio.sleep(1.2)
        while_away = world.worker.capacity
        store.away = False
        beat = store.newest.beat
        await until(lambda: store.newest.beat > beat)

    told = [record for record in caplog.records if record.message == "fleet_unknown"]
    assert while_away == 5
    assert len(told) == 1


def is_taken(pace: RuntimePace, supply: Supply) -> bool:
    return pace.supply == supply


async def test_how_the_fleet_stands_is_logged_when_it_changes_and_each_minute(
    world: World, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ray.serve.atelier.ingest")
    now = [0.0]
    pace = world.board.runtimes.of("sdruntime")

    async with following(world, store, clock=lambda: now[0]):
        for supply in (Supply(wanted=1, starting=1), Supply(wanted=1, running=("a",))):
            await store.write_supply("sdruntime", supply)
            await until(partial(is_taken, pace, supply))
        now[0] = 61
        await until(lambda: len(_fleet_lines(caplog)) == 3)

    assert _fleet_lines(caplog) == [
        ("sdruntime", 1, 0, 1, 0),
        ("sdruntime", 1, 1, 0, 0),
        ("sdruntime", 1, 1, 0, 0),
    ]


def _fleet_lines(caplog: pytest.LogCaptureFixture) -> list[tuple[Any, ...]]:
    names = ("runtime", "wanted", "running", "starting", "waiting")
    records = [record for record in caplog.records if record.message == "fleet"]
    return [tuple(getattr(record, name) for name in names) for record in records]


class Broken(MemoryFleetStore):
    """Store with a bug."""

    @override
    async def write_demand(self, runtime: str, ingest: str, demand: Demand) -> None:
        raise KeyError(runtime)


async def test_a_loop_over_the_fleet_that_ends_is_noticed(world: World) -> None:
    loops = Loops({"the fleet": Fleet([fleet_of(world, Broken())])})
    await asyncio.sleep(0.05)

    with pytest.raises(RuntimeError, match="the worker of the fleet ended"):
        loops.check_health()


async def test_an_ingest_leases_its_share(world: World, store: Store) -> None:
    supply = Supply(wanted=3, running=("a", "b", "c"))
    capacities = []
    async with following(world, store, ingest="b", lookahead=4):
        for ingests in ((), ("b",), ("a", "b"), ("a", "b", "c"), ("a", "c")):
            before = len(store.written)
            await store.write_supply("sdruntime", replace(supply, ingests=ingests))
            await until(lambda seen=before: len(store.written) > seen + 1)  # type: ignore[misc]
            capacities.append(world.worker.capacity)

    # Of ten places: alone, it has all; one that the policy has not heard of yet counts itself.
    assert capacities == [10, 10, 5, 3, 3]


async def test_the_share_stays_where_the_policy_has_just_begun(world: World, store: Store) -> None:
    supply = Supply(wanted=3, running=("a", "b", "c"), ingests=("a", "b"))
    async with following(world, store, ingest="b", lookahead=4):
        for told in (supply, replace(supply, ingests=())):
            before = len(store.written)
            await store.write_supply("sdruntime", told)
            await until(lambda seen=before: len(store.written) > seen + 1)  # type: ignore[misc]

    assert world.worker.capacity == 5


async def test_every_ingest_leases_something(world: World, store: Store) -> None:
    others = tuple("abcdefgh")
    await store.write_supply("sdruntime", Supply(wanted=1, running=("r",), ingests=others))
    async with following(world, store, ingest="z"):
        await until(lambda: len(store.written) > 1)

    assert world.worker.capacity == 1


async def test_an_ingest_that_drains_takes_its_demand_away(world: World, store: Store) -> None:
    async with following(world, store):
        await until(lambda: bool(store.written))
        assert "this" in await store.demands("sdruntime")

    assert await store.demands("sdruntime") == {}


async def test_what_has_begun_is_demand_while_ingest_drains(world: World, store: Store) -> None:
    world.runtime.slots = asyncio.Semaphore(1)
    world.runtime.acts = [60.0]
    for number in range(3):
        await world.publish(submission=f"s{number}")
    fleet = Fleet([fleet_of(world, store)])
    loops = Loops({"sdruntime": world.worker, "the fleet": fleet})
    await until(lambda: (store.newest.running, store.newest.waiting) == (1, 2))
    draining = asyncio.create_task(loops.drain(1.5))
    await until(lambda: store.newest.is_draining and not store.newest.waiting)
    told = len(store.written)
    await until(lambda: len(store.written) > told + 1)
    last = store.newest
    await draining

    assert (last.tasks, last.running) == (1, 1)
    assert await store.demands("sdruntime") == {}


class SlowStore(Store):
    """Store whose writes go on though nobody waits for them any more, as those in a thread do."""

    def __init__(self) -> None:
        super().__init__()
        self.writing: set[asyncio.Task[None]] = set()

    @override
    async def write_demand(self, runtime: str, ingest: str, demand: Demand) -> None:
        write = asyncio.create_task(self._write(runtime, ingest, demand))
        self.writing.add(write)
        await asyncio.shield(write)
        self.writing.discard(write)

    async def _write(self, runtime: str, ingest: str, demand: Demand) -> None:
        await asyncio.sleep(0.1)
        await super().write_demand(runtime, ingest, demand)


async def test_a_demand_that_was_taken_away_is_not_written_again(world: World) -> None:
    store = SlowStore()
    async with following(world, store):
        await until(lambda: bool(store.written))
        await until(lambda: bool(store.writing))
    await asyncio.gather(*store.writing)

    assert await store.demands("sdruntime") == {}


async def test_all_that_is_leased_is_handed_over_while_a_replica_runs(
    world: World, store: Store
) -> None:
    """The router of the replicas chooses among more than those admit at once."""
    places = world.worker.runner = Places(world.runtime)
    world.runtime.slots = asyncio.Semaphore(0)
    for number in range(3):
        await world.publish(submission=f"s{number}")
    await store.write_supply("sdruntime", Supply(wanted=1, running=("a",)))

    async with (
        following(world, store, places=places, admit=1, lookahead=2),
        world.working() as work,
    ):
        await until(lambda: world.runtime.runs == 3)
        work.cancel()
