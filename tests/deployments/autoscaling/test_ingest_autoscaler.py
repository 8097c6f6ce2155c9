"""Scaler of ingest over a store in memory: by the demands on all runtimes, if any is measured."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

from deployments.autoscaling.ingest_autoscaler import IngestAutoscaler, IngestScaler
from deployments.scaling.ingest import TASKS_PER_SECOND
from ingest.memory import MemoryFleetStore
from models.fleet import Demand

RUNTIMES = ("sketcher", "painter")
BUSY = Demand(waiting=0, running=int(TASKS_PER_SECOND), seconds=1.0)


def scaler(store: MemoryFleetStore) -> IngestScaler:
    return IngestScaler(store, runtimes=RUNTIMES, lease_seconds=30, least=1, most=4)


async def ask(
    scale: IngestScaler, store: MemoryFleetStore, demand: Demand | None, seconds: int, target: int
) -> int:
    """Ask for so long, while two ingests measure each runtime, of which one is idle."""
    for now in range(seconds):
        if demand is not None:
            for runtime in RUNTIMES:
                await store.write_demand(runtime, "a", replace(demand, beat=now))
                await store.write_demand(runtime, "b", replace(demand, running=0, beat=now))
        target = scale.wanted(target, 100.0 + now)
        for _ in range(5):  # what it has begun is done by then
            await asyncio.sleep(0)
    return target


async def test_the_tasks_of_all_runtimes_count() -> None:
    store = MemoryFleetStore()

    assert await ask(scaler(store), store, BUSY, 8, 1) == 2


async def test_while_nobody_measures_all_stay() -> None:
    store = MemoryFleetStore()

    assert await ask(scaler(store), store, None, 700, 3) == 3


async def test_those_that_are_not_needed_go() -> None:
    store = MemoryFleetStore()

    assert await ask(scaler(store), store, Demand(waiting=0, running=0), 320, 3) == 1


def test_what_fails_leaves_the_replicas_as_they_are() -> None:
    policy = IngestAutoscaler(runtimes=RUNTIMES, mood="fine")
    context = SimpleNamespace(target_num_replicas=3, app_name="a", deployment_name="Ingest")

    assert policy(context) == (3, {})
