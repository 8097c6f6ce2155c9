"""``/v1`` refuses what the runtime would refuse, with every wrong field, before it is published."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import jsonschema
import pytest

from models.runtimes import TYPES
from models.task import Kind
from tests.models.runtimes.corpus import BASE, GRAPH, OPTIONS, PIPELINE, RIGHT, T2I, WRONG
from tests.serve_app.world import World, settings

RUNTIMES = [
    {"name": f"our-{name}", "type": name, "options": given} for name, given in OPTIONS.items()
]
PICTURE = "A" * 50_000


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World(configured=settings(modelsRuntime=[*RUNTIMES, {"name": "own", "type": "other"}]))
    made.kinds = {f"our-{name}": type_.kinds for name, type_ in TYPES.items()}
    made.kinds["own"] = frozenset(Kind)
    yield made
    await made.feed.close()


async def submit(client: httpx.AsyncClient, name: str, kind: Kind, content: Any) -> httpx.Response:
    body = {"runtime": name, "kind": kind, "content": content}
    return await client.post("/v1/tasks", json=body)


@pytest.mark.parametrize(("name", "kind", "content"), RIGHT)
async def test_what_is_right_is_published_as_it_came(
    world: World, client: httpx.AsyncClient, name: str, kind: Kind, content: Any
) -> None:
    answer = await submit(client, f"our-{name}", kind, content)

    assert answer.status_code == 202, answer.text
    assert len(world.topic.published) == 1


@pytest.mark.parametrize("row", WRONG)
async def test_what_is_wrong_is_refused_with_each_field(
    world: World, client: httpx.AsyncClient, row: tuple[str, Kind, Any, Mapping[str, str]]
) -> None:
    name, kind, content, wrong = row
    answer = await submit(client, f"our-{name}", kind, content)
    problem = answer.json()
    named = {error["field"] for error in problem["errors"]}

    assert (answer.status_code, problem["type"]) == (422, "urn:atelier:invalid-request")
    assert named == {f"content.{field}".removesuffix(".") for field in wrong}
    assert f"/v1/runtimes/our-{name}/schema" in problem["detail"]
    assert not world.topic.published


async def test_the_runtime_that_is_chosen_judges(client: httpx.AsyncClient) -> None:
    body = {"kind": "text-to-image", "content": {"stpes": 4}}
    [error] = (await client.post("/v1/tasks", json=body)).json()["errors"]

    assert error == {"field": "content.stpes", "message": "unknown field; did you mean 'steps'?"}


async def test_a_type_without_a_description_takes_any_content(client: httpx.AsyncClient) -> None:
    assert (await submit(client, "own", T2I, "anything")).status_code == 202


async def test_a_refusal_is_short_and_shows_no_picture(client: httpx.AsyncClient) -> None:
    graph = {f"{n}": {PICTURE: PICTURE} for n in range(10)}
    content = {"init_images": PICTURE, "steps": PICTURE, PICTURE: PICTURE}
    answers = [
        await submit(client, "our-comfyui", PIPELINE, graph),
        await submit(client, "our-diffusers", Kind.IMAGE_TO_IMAGE, content),
    ]

    assert all(answer.status_code == 422 for answer in answers)
    assert all(len(answer.content) < 5_000 for answer in answers)


async def test_of_many_wrong_fields_the_first_are_told(client: httpx.AsyncClient) -> None:
    answer = await submit(client, "our-comfyui", PIPELINE, {f"{n}": 3 for n in range(400)})

    assert len(answer.json()["errors"]) == 50


@pytest.mark.parametrize("version", ["v1alpha2", "v1alpha1"])
async def test_the_dialects_of_the_reference_judge_no_content(
    version: str,
) -> None:
    configured = [{**RUNTIMES[0], "modelFilename": "a.safetensors"}]
    world = World(configured=settings(modelsRuntime=configured))
    world.kinds = {"our-diffusers": TYPES["diffusers"].kinds}
    metadata = {"id": "a", "runtime": "our-diffusers", "tasktype": T2I, "prefix": "p"}
    scripts = {"task": T2I, "id_task": "a", "sd_model_checkpoint": "a.safetensors", "save_dir": "p"}
    body = {
        "v1alpha1": {"alwayson_scripts": scripts, "steps": 0},
        "v1alpha2": {"task": {"metadata": metadata, "content": {"steps": 0}}},
    }
    async with world.client() as client:
        answer = await client.post(f"/{version}", json=body[version])

    assert answer.status_code == 200
    assert len(world.topic.published) == 1


async def test_the_schema_of_a_runtime_is_told_by_kind(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/runtimes/OUR-Diffusers/schema")
    told = answer.json()

    assert (told["runtime"], told["type"]) == ("our-diffusers", "diffusers")
    assert set(told["content"]) == TYPES["diffusers"].kinds
    jsonschema.validate(BASE, told["content"][T2I])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**BASE, "batch_size": 5}, told["content"][T2I])


async def test_what_is_not_judged_has_an_empty_schema(client: httpx.AsyncClient) -> None:
    told = (await client.get("/v1/runtimes/own/schema")).json()

    assert told["content"] == {kind.value: {} for kind in Kind}


async def test_a_runtime_that_there_is_not_has_no_schema(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/runtimes/gone/schema")

    assert answer.status_code == 404
    assert "our-diffusers" in answer.json()["detail"]


async def test_openapi_has_the_contents_of_each_type_as_components(
    client: httpx.AsyncClient,
) -> None:
    described = (await client.get("/openapi.json")).json()["components"]["schemas"]
    content = described["TaskRequest"]["properties"]["content"]
    *known, other = content["anyOf"]
    names = {option["$ref"].rpartition("/")[2] for option in known}

    assert names == {f"content.{n}.{kind}" for n, type_ in TYPES.items() for kind in type_.kinds}
    assert names <= described.keys()
    jsonschema.validate(GRAPH, described["content.comfyui.pipeline"])
    jsonschema.validate("what a type of one's own takes", other)
