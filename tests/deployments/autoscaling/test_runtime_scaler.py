"""Scaler of a runtime over a store in memory, and over stores that are away or answer nonsense."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from typing_extensions import override

from deployments.autoscaling.autoscaler import Autoscaler
from deployments.autoscaling.runtime_scaler import RuntimeScaler
from deployments.autoscaling.start_state import StartState
from ingest.memory import MemoryFleetStore
from models.errors import Unavailable
from models.fleet import Demand, StartPhase, Supply
from models.live import FleetStore
from models.settings.scaling import Scaling

RUNTIME = "sketcher"
NAMES = ("a", "b", "c", "d")
LEASE_SECONDS = 30.0
TICK = 0.1  # seconds between two questions of Serve's
RULES = Scaling(minReplicas=0, maxReplicas=3, queueLength=1)


class Controller:
    """Serve's controller: asks ten times a second, and starts or stops replicas as it is told."""

    def __init__(self, store: FleetStore, rules: Scaling = RULES) -> None:
        self.store = store
        self.least = rules.min_replicas or 0
        """Fewest replicas that Serve keeps, whatever it is told."""
        self.now = 100.0
        self.target = 0
        self.running: Sequence[str] = ()
        self.starts: StartState | None = StartState(phase=StartPhase.REPLICA, settled=False)
        """State of the starts; None: a look at them never ends."""
        self.looks = 0
        self.scaler = RuntimeScaler(
            runtime=RUNTIME, rules=rules, store=store, lease_seconds=LEASE_SECONDS, look=self._look
        )

    async def _look(self) -> StartState:
        self.looks += 1
        if self.starts is None:
            await asyncio.Event().wait()
        assert self.starts is not None
        return self.starts

    async def ask(self, seconds: float = TICK) -> int:
        """Ask for so long; return the last answer."""
        for _ in range(round(seconds / TICK)):
            wanted = self.scaler.wanted(self.target, self.running, self.now)
            self.target = max(wanted, self.least)
            self.now += TICK
            for _ in range(5):  # what it has begun is done by then, but for what hangs
                await asyncio.sleep(0)
        return self.target

    async def follow(self, demand: Demand, seconds: float = 1) -> int:
        """Ask for so long, while one ingest measures this demand each half second."""
        return await self.follow_all({"ingest": demand}, seconds)

    async def follow_all(self, demands: Mapping[str, Demand], seconds: float = 1) -> int:
        """Ask for so long, while each of these ingests measures its demand each half second."""
        for _ in range(max(round(seconds / 0.5), 2)):
            last = await self.store.demands(RUNTIME)
            for ingest, demand in demands.items():
                beat = last[ingest].beat + 1 if ingest in last else 0
                await self.store.write_demand(RUNTIME, ingest, replace(demand, beat=beat))
            await self.ask(0.5)
        return self.target

    def run(self, count: int) -> None:
        self.running = NAMES[:count]

    async def supply(self) -> Supply:
        await self.ask(1.2)
        told = await self.store.supply(RUNTIME)
        assert told is not None
        return told


@pytest.fixture
def serve() -> Controller:
    return Controller(MemoryFleetStore())


async def test_replicas_follow_the_demand_from_zero(serve: Controller) -> None:
    assert await serve.follow(Demand(waiting=0, running=0)) == 0
    assert await serve.follow(Demand(waiting=2, running=0)) == 2

    told = await serve.supply()

    assert (told.wanted, told.running, told.starting) == (2, (), 2)
    assert (told.phase, told.never_started) == (StartPhase.REPLICA, True)
    assert told.reason == "2 tasks wait: 2 replicas at 1 task each"


async def test_a_start_is_measured_and_told(serve: Controller) -> None:
    await serve.follow(Demand(waiting=1, running=0))
    began = serve.now
    await serve.follow(Demand(waiting=1, running=0), 20)
    waits = await serve.supply()
    serve.run(1)

    told = await serve.supply()

    assert waits.starting_seconds == pytest.approx(serve.now - began, abs=3)
    assert told.start_seconds == pytest.approx(serve.now - began, abs=3)
    assert (told.running, told.starting, told.starting_seconds) == (("a",), 0, 0)
    assert (told.phase, told.never_started) == (None, False)


async def test_what_an_older_scaler_measured_is_known(serve: Controller) -> None:
    await serve.store.write_supply(RUNTIME, Supply(wanted=0, start_seconds=87))

    assert (await serve.supply()).start_seconds == 87


@pytest.mark.parametrize(
    ("last", "never"),
    [
        (Supply(wanted=0), True),
        (Supply(wanted=1, starting=1, never_started=True), True),
        (Supply(wanted=1, starting=1), False),
        (Supply(wanted=1, running=("old",)), False),
        (Supply(wanted=0, start_seconds=87), False),
    ],
)
async def test_a_scaler_knows_from_an_older_one_that_replicas_have_run(
    serve: Controller, last: Supply, never: bool
) -> None:
    await serve.store.write_supply(RUNTIME, last)
    await serve.follow(Demand(waiting=1, running=0))

    told = await serve.supply()

    assert (told.starting, told.never_started) == (1, never)


async def test_replicas_that_a_restarted_controller_finds_again_are_no_starts(
    serve: Controller,
) -> None:
    await serve.store.write_supply(RUNTIME, Supply(wanted=3, running=NAMES[:3], start_seconds=180))
    serve.target = 3
    await serve.ask(1)
    serve.run(3)

    assert (await serve.supply()).start_seconds == 180


async def test_what_changes_is_told_at_once(serve: Controller) -> None:
    await serve.follow(Demand(waiting=2, running=0))
    told = []
    for count in (1, 2):
        serve.run(count)
        await serve.ask(TICK)
        supply = await serve.store.supply(RUNTIME)
        told.append(supply and supply.running)

    assert told == [("a",), ("a", "b")]


async def test_the_demand_of_an_ingest_that_is_gone_starts_nothing(serve: Controller) -> None:
    await serve.store.write_demand(RUNTIME, "gone", Demand(waiting=9, running=0, beat=77))

    assert await serve.ask(20) == 0
    assert (await serve.supply()).reason == "no measurement: kept at 0"


async def test_what_several_ingests_measure_is_one_demand(serve: Controller) -> None:
    parts = {"a": Demand(waiting=1, running=0), "b": Demand(waiting=1, running=1)}

    assert await serve.follow_all(parts) == 3
    assert (await serve.supply()).ingests == ("a", "b")


async def test_an_ingest_that_is_gone_is_no_demand_beside_one_that_measures(
    serve: Controller,
) -> None:
    await serve.store.write_demand(RUNTIME, "gone", Demand(waiting=9, running=0, beat=77))

    assert await serve.follow(Demand(waiting=1, running=0), 100) == 1
    assert (await serve.supply()).ingests == ("ingest",)
    assert set(await serve.store.demands(RUNTIME)) == {"ingest"}


async def test_what_a_killed_ingest_had_leased_counts_until_it_is_back_in_the_queue(
    serve: Controller,
) -> None:
    kept = {"a": Demand(waiting=0, running=0)}
    await serve.follow_all(kept | {"killed": Demand(waiting=3, running=0)})

    assert await serve.follow_all(kept, LEASE_SECONDS - 2) == 3
    held = (await serve.supply()).reason
    assert (await serve.supply()).ingests == ("a",)
    await serve.follow_all(kept, 4)

    assert held.startswith("3 tasks wait")
    assert not (await serve.supply()).reason.startswith("3 tasks wait")


async def test_what_a_killed_ingest_saw_of_the_queue_counts_no_more(serve: Controller) -> None:
    full = {"a": Demand(waiting=9, visible=8, running=0)}
    await serve.follow_all(full | {"killed": Demand(waiting=1, running=0)})
    await serve.follow_all(full, 17)

    assert (await serve.supply()).reason.startswith("10 tasks wait")


async def test_the_beat_of_a_supply_goes_on_where_another_scaler_ended(serve: Controller) -> None:
    await serve.store.write_supply(RUNTIME, Supply(wanted=0, beat=10_000))

    assert (await serve.supply()).beat > 10_000


async def test_an_ingest_that_dropped_its_demand_counts_no_more(serve: Controller) -> None:
    kept = {"a": Demand(waiting=1, running=0)}
    await serve.follow_all(kept | {"drained": Demand(waiting=2, running=0)})
    await serve.store.drop_demand(RUNTIME, "drained")
    await serve.follow_all(kept)

    supply = await serve.supply()

    assert supply.ingests == ("a",)
    assert not supply.reason.startswith("3 tasks wait")


async def test_an_ingest_that_does_not_know_all_tasks_leases_and_counts_what_it_knew(
    serve: Controller,
) -> None:
    away = Demand(waiting=1, visible=1, running=1, is_known=False)
    parts = {"a": Demand(waiting=2, visible=1, running=0), "b": away}

    assert await serve.follow_all(parts, 60) == 3
    assert (await serve.supply()).ingests == ("a", "b")


async def test_what_an_ingest_has_begun_that_drains_counts_and_it_has_no_share(
    serve: Controller,
) -> None:
    ending = Demand(waiting=0, running=2, is_draining=True)
    parts = {"a": Demand(waiting=3, visible=2, running=0), "b": ending}
    serve.run(2)

    await serve.follow_all(parts)
    supply = await serve.supply()

    assert supply.ingests == ("a",)
    assert supply.wanted == 3
    assert supply.reason.startswith("3 tasks wait, 2 run")


@pytest.mark.parametrize("how", [{"is_known": False}, {"is_draining": True}])
async def test_replicas_stay_while_no_ingest_knows_what_there_is(
    serve: Controller, how: Mapping[str, bool]
) -> None:
    await serve.follow(Demand(waiting=2, running=0))
    serve.run(2)
    await serve.follow(Demand(waiting=0, running=1, **how), 400)

    assert (await serve.supply()).reason == "no measurement: kept at 2"


async def test_replicas_stay_while_nobody_measures(serve: Controller) -> None:
    await serve.follow(Demand(waiting=3, running=0))
    serve.run(3)
    await serve.follow(Demand(waiting=0, running=0))

    assert await serve.ask(2_000) == 3
    assert (await serve.supply()).reason == "no measurement: kept at 3"


async def test_the_beat_goes_on_though_nothing_changes(serve: Controller) -> None:
    first = await serve.supply()
    later = await serve.supply()

    assert later.beat > first.beat
    assert replace(later, beat=0) == replace(first, beat=0)


async def test_a_start_that_waits_for_a_node_says_why(serve: Controller) -> None:
    serve.starts = StartState(phase=StartPhase.NODE, obstacle="no capacity", settled=False)
    await serve.follow(Demand(waiting=1, running=0))

    told = await serve.supply()

    assert (told.phase, told.obstacle) == (StartPhase.NODE, "no capacity")


async def test_a_failed_start_is_told_until_one_succeeds(serve: Controller) -> None:
    serve.starts = StartState(failure="no such checkpoint", settled=False)
    await serve.follow(Demand(waiting=1, running=0), 3)
    serve.starts = StartState(phase=StartPhase.REPLICA, settled=False)
    await serve.follow(Demand(waiting=1, running=0), 3)
    starts_again = await serve.supply()
    serve.run(1)
    await serve.follow(Demand(waiting=2, running=0), 3)
    runs = await serve.supply()

    assert (starts_again.obstacle, starts_again.never_started) == ("no such checkpoint", True)
    assert (runs.starting, runs.obstacle, runs.never_started) == (1, None, False)


async def test_where_serve_has_given_up_no_replica_is_wanted_for_a_moment(
    serve: Controller,
) -> None:
    """Let Serve begin anew: it forgets the failures when none is wanted."""
    await serve.follow(Demand(waiting=1, running=0))
    serve.starts = StartState(failure="no such checkpoint", given_up=True)
    assert await serve.follow(Demand(waiting=1, running=0), 25) == 1
    assert await serve.follow(Demand(waiting=1, running=0), 10) == 0
    told = await serve.supply()

    serve.starts = StartState()

    assert (told.wanted, told.obstacle) == (1, "no such checkpoint")
    assert await serve.follow(Demand(waiting=1, running=0), 5) == 1


async def test_after_a_start_that_succeeded_the_pauses_begin_anew(serve: Controller) -> None:
    async def pause() -> float:
        serve.starts = StartState(failure="no such checkpoint", given_up=True)
        began = serve.now
        while serve.now < began + 200 and await serve.follow(Demand(waiting=1, running=0)):
            pass
        serve.starts = StartState()
        await serve.follow(Demand(waiting=1, running=0), 5)
        return serve.now - began

    await serve.follow(Demand(waiting=1, running=0))
    first, second = await pause(), await pause()
    serve.run(1)
    await serve.follow(Demand(waiting=1, running=0))
    serve.run(0)

    assert second > first + 25
    assert await pause() == pytest.approx(first, abs=3)


async def test_where_serve_keeps_a_minimum_it_is_not_made_to_try_again() -> None:
    serve = Controller(MemoryFleetStore(), replace_rules(minReplicas=1))
    serve.starts = StartState(failure="no such checkpoint", given_up=True)

    assert await serve.follow(Demand(waiting=1, running=0), 100) == 1
    told = await serve.supply()
    assert (told.wanted, told.obstacle) == (1, "no such checkpoint")


async def test_a_failed_update_is_told_while_replicas_from_before_it_run(
    serve: Controller,
) -> None:
    serve.starts = StartState(failure="no such checkpoint")
    await serve.follow(Demand(waiting=2, running=0))
    serve.run(1)
    await serve.follow(Demand(waiting=2, running=0), 3)

    told = await serve.supply()

    assert (told.wanted, told.running) == (2, ("a",))
    assert told.obstacle == "no such checkpoint"


async def test_starts_are_looked_at_until_those_that_were_stopped_are_gone() -> None:
    serve = Controller(MemoryFleetStore(), replace_rules(cooldownSeconds=0))
    await serve.follow(Demand(waiting=1, running=0))
    serve.starts = StartState(phase=StartPhase.NODE, settled=False)
    await serve.follow(Demand(waiting=0, running=0), 20)
    assert serve.target == 0
    looks, serve.starts = serve.looks, StartState()
    await serve.ask(10)

    assert serve.looks == looks + 1


def replace_rules(**changed: Any) -> Scaling:
    return RULES.model_validate(RULES.model_dump(by_alias=True) | changed)


class Away(MemoryFleetStore):
    """Store that answers nothing for as long as it is away."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False

    @override
    async def demands(self, runtime: str) -> Mapping[str, Demand]:
        await self._answer()
        return await super().demands(runtime)

    @override
    async def write_supply(self, runtime: str, supply: Supply) -> None:
        await self._answer()
        await super().write_supply(runtime, supply)

    async def _answer(self) -> None:
        if self.away:
            raise Unavailable("the store is away")


class Hangs(Away):
    """Store that never answers while it is away."""

    hung = 0

    @override
    async def _answer(self) -> None:
        if self.away:
            self.hung += 1
            await asyncio.Event().wait()


class Broken(Away):
    """Store that raises what no port may."""

    @override
    async def _answer(self) -> None:
        if self.away:
            raise ZeroDivisionError


@pytest.mark.parametrize(
    "store", [Away(), Hangs(), Broken()], ids=lambda store: type(store).__name__
)
async def test_a_store_that_does_not_answer_leaves_the_replicas_as_they_are(store: Away) -> None:
    serve = Controller(store)
    await serve.follow(Demand(waiting=2, running=0))
    serve.run(2)
    store.away = True

    assert await serve.ask(1_000) == 2


async def test_a_store_that_hangs_gets_no_further_calls() -> None:
    store = Hangs()
    store.away = True
    await Controller(store).ask(100)

    assert store.hung == 2  # the demand is read, and the supply is written


async def test_a_look_that_does_not_end_delays_nothing(serve: Controller) -> None:
    serve.starts = None

    assert await serve.follow(Demand(waiting=2, running=0), 5) == 2


NONSENSE = [
    Demand(waiting=-5, running=-1),
    Demand(waiting=10**30, running=0),
    Demand(waiting=1, running=1, seconds=float("nan"), oldest_seconds=float("inf")),
    Demand(waiting=1, running=1, seconds=-1, load_seconds=float("nan"), load_share=9),
]


@pytest.mark.parametrize("demand", NONSENSE)
async def test_nonsense_raises_nothing_and_keeps_within_the_bounds(
    serve: Controller, demand: Demand
) -> None:
    assert 0 <= await serve.follow(demand, 3) <= 3


class Context:
    """Context that Serve hands to its policies."""

    app_name, deployment_name = "atelier", RUNTIME
    target_num_replicas = 2
    running_replicas = ()


@pytest.mark.parametrize("scaling", [{}, {"unheardOf": 1}, {"minReplicas": "many"}, None])
def test_a_policy_that_cannot_be_made_holds_what_there_is(scaling: Any) -> None:
    """Ask it outside of any event loop and without a Ray, too."""
    policy = Autoscaler(scaling=scaling, lease_seconds=LEASE_SECONDS)

    assert [policy(Context()) for _ in range(3)] == [(2, {})] * 3
