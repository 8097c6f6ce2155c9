"""Runtimes and checkpoints are listed as far as they are known; the unknown is null, no error."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
from typing_extensions import override

from ingest.memory import MemoryLedger
from models.errors import Unavailable
from models.fleet import Demand, Supply
from models.report import Report, Status
from tests.serve_app.native.test_submit import problem
from tests.serve_app.world import QUICK, World, task


class SilentLedger(MemoryLedger):
    @override
    async def find(
        self, id: str, submission: str | None = None, key: str | None = None
    ) -> Report | None:
        raise Unavailable


IDLE = Demand(waiting=0, running=0)
SCALED = Supply(
    wanted=3,
    running=("r1", "r2"),
    starting=1,
    reason="30 tasks wait: 3 replicas at 10 tasks each",
    obstacle="no Spot capacity",
)


async def runtimes(client: httpx.AsyncClient) -> list[Mapping[str, Any]]:
    answer = await client.get("/v1/runtimes")
    assert answer.status_code == 200
    told: list[Mapping[str, Any]] = answer.json()["runtimes"]
    return told


async def test_runtimes_are_told_with_how_they_are_doing(
    world: World, client: httpx.AsyncClient
) -> None:
    ran = Report.of(task(), Status.COMPLETED)
    ran = replace(ran, seconds={"run": 4}, replica="r1", checkpoint="shapes.safetensors")
    world.board.runtimes.of("sdruntime").add(ran, None)
    with world.board.holding("sdruntime", "s1"):
        world.scale(SCALED, IDLE)
        told, _ = await runtimes(client)

    assert told == {
        "name": "sdruntime",
        "type": "fake",
        "kinds": ["extra-batch-images", "extra-single-image", "image-to-image", "text-to-image"],
        "checkpoint": "shapes.safetensors",
        "dynamic": False,
        "loaded": ["shapes.safetensors"],
        "replicas": 2,
        "wanted": 3,
        "starting": 1,
        "min_replicas": 1,
        "max_replicas": 4,
        "reason": "30 tasks wait: 3 replicas at 10 tasks each",
        "obstacle": "no Spot capacity",
        "never_started": False,
        "backlog": 3,
        "leased": 1,
        "running": 0,
        "seconds_per_task": 4.0,
    }


async def test_what_does_not_answer_is_null(world: World, client: httpx.AsyncClient) -> None:
    world.ingest.go()
    world.backlogs.clear()
    told = await runtimes(client)

    assert [one["name"] for one in told] == ["sdruntime", "comfy"]
    unknown = ("backlog", "leased", "running", "seconds_per_task", "wanted", "starting")
    for name in (*unknown, "reason", "obstacle", "never_started"):
        assert [one[name] for one in told] == [None, None]
    assert [(one["replicas"], one["min_replicas"], one["max_replicas"]) for one in told] == [
        (1, 1, 4),
        (1, 1, 1),
    ]


async def test_a_runtime_that_never_started_says_so(
    world: World, client: httpx.AsyncClient
) -> None:
    why = "a replica did not start: no such checkpoint"
    supply = Supply(wanted=1, starting=1, obstacle=why, never_started=True)
    world.scale(supply, IDLE, "comfy")
    _, told = await runtimes(client)

    assert (told["replicas"], told["wanted"], told["starting"]) == (0, 1, 1)
    assert (told["never_started"], told["obstacle"]) == (True, why)


async def test_checkpoints_are_told_with_who_can_load_them(
    world: World, client: httpx.AsyncClient
) -> None:
    world.names = ["other.safetensors", "shapes"]
    told = (await client.get("/v1/checkpoints")).json()["checkpoints"]

    assert told == [
        {"name": "other.safetensors", "runtimes": ["comfy"]},
        {"name": "shapes", "runtimes": ["sdruntime", "comfy"]},
    ]


async def test_a_front_that_hears_ingest_and_the_ledger_is_ready(
    world: World, client: httpx.AsyncClient
) -> None:
    del client.headers["x-api-key"]
    answer = await client.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_a_front_is_ready_without_any_replica(
    world: World, client: httpx.AsyncClient
) -> None:
    for name in ("sdruntime", "comfy"):
        world.scale(Supply(wanted=0), IDLE, name)
    ready = await client.get("/readyz")

    assert [one["replicas"] for one in await runtimes(client)] == [0, 0]
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


async def test_what_a_front_lacks_is_told() -> None:
    world = World(ledger=SilentLedger(), intervals=replace(QUICK, snapshot_wait=0.01))
    world.ingest.go()
    async with world.client() as client:
        answer = await client.get("/readyz")
        alive = await client.get("/healthz")
    await world.feed.close()

    assert answer.status_code == 503
    assert answer.json() == {"status": "unready", "missing": ["ledger", "ingest"]}
    assert alive.status_code == 200


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/task", "/v1/tasks/", "/v1/runtimes/x"])
async def test_other_paths_are_no_part_of_it(client: httpx.AsyncClient, path: str) -> None:
    assert problem(await client.get(path))[:2] == (404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/tasks", "GET, HEAD, POST"),
        ("PATCH", "/v1/tasks/owl", "DELETE, GET, HEAD"),
        ("DELETE", "/v1/tasks/owl/events", "GET, HEAD"),
        ("POST", "/v1/tasks/owl/artifacts/1", "GET, HEAD"),
        ("OPTIONS", "/v1/runtimes", "GET, HEAD"),
    ],
)
async def test_other_methods_are_not_allowed(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await client.request(method, path)

    assert problem(answer)[:2] == (405, "method-not-allowed")
    assert answer.headers["allow"] == allowed
