"""Runtimes and checkpoints are listed as far as they are known; the unknown is null, no error."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
from typing_extensions import override

from ingest.memory import MemoryLedger
from models.errors import Unavailable
from models.report import Report, Status
from tests.serve_app.native.test_submit import problem
from tests.serve_app.world import QUICK, World, task


class SilentLedger(MemoryLedger):
    @override
    async def find(
        self, id: str, submission: str | None = None, key: str | None = None
    ) -> Report | None:
        raise Unavailable


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
        told, _ = await runtimes(client)

    assert told == {
        "name": "sdruntime",
        "type": "fake",
        "kinds": ["extra-batch-images", "extra-single-image", "image-to-image", "text-to-image"],
        "checkpoint": "shapes.safetensors",
        "dynamic": False,
        "loaded": ["shapes.safetensors"],
        "replicas": 1,
        "wanted": None,
        "starting": None,
        "min_replicas": None,
        "max_replicas": None,
        "reason": None,
        "obstacle": None,
        "never_started": None,
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
    for unknown in ("backlog", "leased", "running", "seconds_per_task"):
        assert [one[unknown] for one in told] == [None, None]


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
