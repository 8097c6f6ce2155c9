"""Answers to requests without a key say nothing of the configuration."""

from typing import Any

import httpx
import pytest

from models.runtimes import TYPES
from tests.serve_app.world import World, settings

MARK = "zebra"
RUNTIMES: list[dict[str, Any]] = [
    {
        "name": f"{MARK}-drawn",
        "type": "diffusers",
        "modelFilename": f"{MARK}.safetensors",
        "options": {"maxPictures": 4321},
    },
    {
        "name": f"{MARK}-graphs",
        "type": "comfyui",
        "options": {
            "backend": {"url": f"http://{MARK}.internal:8188"},
            "allowNodes": [f"{MARK}Node"],
        },
    },
    {"name": f"{MARK}-own", "type": f"{MARK}_type", "options": {MARK: MARK}},
]
ASKED = [
    *(("GET", path) for path in ("/", "/docs", "/openapi.json", "/healthz", "/readyz")),
    *(("GET", f"/v1/{name}") for name in ("tasks", "runtimes", "checkpoints", "tasks/a/events")),
    ("GET", f"/v1/runtimes/{MARK[:3]}/schema"),
    ("POST", "/v1/tasks"),
    ("POST", "/v1alpha1"),
    ("POST", "/v1alpha2"),
    ("DELETE", "/v1/tasks/a"),
    ("GET", "/nowhere"),
    ("PUT", "/docs"),
]


def world() -> World:
    made = World(configured=settings(modelsRuntime=RUNTIMES))
    for runtime in RUNTIMES:
        type_ = TYPES.get(runtime["type"], TYPES["fake"])
        made.kinds[runtime["name"]] = type_.kinds
    made.names = [f"{MARK}.safetensors"]
    return made


def stranger(there: World, headers: dict[str, str]) -> httpx.AsyncClient:
    made = there.client()
    del made.headers["x-api-key"]
    made.headers.update(headers)
    return made


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "a guess"}, {"accept": "text/html"}])
@pytest.mark.parametrize(("method", "path"), ASKED)
async def test_no_answer_names_a_runtime_an_option_or_a_checkpoint(
    method: str, path: str, headers: dict[str, str]
) -> None:
    async with stranger(world(), headers) as client:
        body = b'{"kind": "text-to-image", "content": {"steps": "x"}}' if method == "POST" else None
        answer = await client.request(method, path, content=body)

    told = f"{answer.headers}{answer.text}"
    assert MARK not in told
    assert "4321" not in told


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_the_description_is_the_same_whatever_is_configured(path: str) -> None:
    told = []
    for there in (world(), World()):
        async with stranger(there, {}) as client:
            told.append((await client.get(path)).text)

    assert told[0] == told[1]


async def test_with_a_key_all_of_it_is_told() -> None:
    """Prove that the marks stand where answers could quote them."""
    there = world()
    async with there.client() as client:
        runtimes = (await client.get("/v1/runtimes")).text
        schema = (await client.get(f"/v1/runtimes/{MARK}-drawn/schema")).text

    assert all(runtime["name"] in runtimes for runtime in RUNTIMES)
    assert f"{MARK}.safetensors" in runtimes
    assert "4321" in schema
