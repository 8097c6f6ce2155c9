"""Newest demands and supply in the key-value store of a real Ray, and of one that hangs."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import ray
from ray.experimental import internal_kv

from deployments.autoscaling.ray_fleet_store import RayFleetStore
from models.errors import Unavailable
from models.fleet import Demand
from models.live import FleetStore
from tests.contracts.fleet import DEMAND, FleetStoreContract
from tests.platform.own_ray import folder
from tests.platform.test_replicas import RAY

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with folder() as home:
        yield home


@pytest.fixture(scope="module")
def gcs(home: Path) -> Iterator[psutil.Process]:
    """Process of the head's GCS, of a Ray that this process is connected to."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in RAY.items():
            patch.setenv(name, value)
        ray.init(
            address="local",
            num_cpus=1,
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(home),
            log_to_driver=False,
        )
        children = psutil.Process(os.getpid()).children(recursive=True)
        yield next(one for one in children if one.name() == "gcs_server")
        ray.shutdown()


@pytest.fixture
def store(gcs: psutil.Process) -> FleetStore:
    assert gcs.is_running()
    return RayFleetStore("tests")


class TestRayFleetStore(FleetStoreContract):
    pass


async def test_two_applications_keep_apart(store: FleetStore) -> None:
    await store.write_demand("apart", "a", DEMAND)

    assert await RayFleetStore("others").demands("apart") == {}


async def test_what_another_version_wrote_is_read_as_far_as_it_is_known(store: FleetStore) -> None:
    _put("old", b'{"waiting": 3, "running": 1, "mood": "fine"}')
    _put("broken", b'{"waiting": "many"}')

    assert await store.demands("old") == {"a": Demand(waiting=3, running=1)}
    assert await store.demands("broken") == {}


async def test_what_is_forgotten_while_it_is_written_does_not_come_back(store: FleetStore) -> None:
    for _ in range(50):
        write = asyncio.create_task(store.write_demand("late", "a", DEMAND))
        await asyncio.sleep(0)
        write.cancel()
        await store.drop_demand("late", "a")
        await asyncio.sleep(0.005)

        assert await store.demands("late") == {}


async def test_a_head_that_hangs_is_unavailable(store: FleetStore, gcs: psutil.Process) -> None:
    _stop(gcs)
    try:
        with pytest.raises(Unavailable, match="Ray's head did not answer"):
            await store.write_demand("hung", "a", DEMAND)
        with pytest.raises(Unavailable, match="Ray's head did not answer"):
            await store.demands("hung")
    finally:
        gcs.resume()

    await store.write_demand("hung", "a", DEMAND)
    assert await store.demands("hung") == {"a": DEMAND}


def _stop(process: psutil.Process) -> None:
    """Suspend a process; on a busy machine its threads may run on for a while after the signal."""
    process.suspend()
    threads = Path(f"/proc/{process.pid}/task")
    until = time.monotonic() + 30
    while any(") T" not in (one / "stat").read_text() for one in threads.iterdir()):
        assert time.monotonic() < until
        time.sleep(0.01)


def _put(runtime: str, value: bytes) -> None:
    client = internal_kv.internal_kv_get_gcs_client()
    client.internal_kv_put(f"fleet/tests/{runtime}/demand/a".encode(), value, True, b"atelier")
