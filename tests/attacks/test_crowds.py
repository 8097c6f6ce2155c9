"""Requests of very many small things: little work is done for them, and little is answered."""

import difflib
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from models import strict_json
from models.runtimes import TYPES
from models.runtimes.content import MOST_FAULTS, MOST_FIELDS, MOST_ITEMS
from models.strict_json import MOST_VALUES, TooMany
from models.task import Kind
from tests.models.runtimes.corpus import options
from tests.serve_app.world import World

PATH = "/v1/tasks"
GOOD = {"kind": "text-to-image", "content": {"prompt": "an owl"}}


def keys(count: int) -> dict[str, Any]:
    return {f"step{n}": 1 for n in range(count)}


def nodes(count: int) -> dict[str, Any]:
    return {str(n): {} for n in range(count)}


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were compared with those that are known."""
    seen: list[str] = []
    real = difflib.get_close_matches

    def counted(word: str, *more: Any, **named: Any) -> Any:
        seen.append(word)
        return real(word, *more, **named)

    monkeypatch.setattr(difflib, "get_close_matches", counted)
    return seen


CONTENTS: list[tuple[str, Kind, Any]] = [
    *(
        (name, Kind.TEXT_TO_IMAGE, content)
        for name in ("diffusers", "sdwebui")
        for count in (MOST_FIELDS, 65_000)
        for content in (
            keys(count - 1),
            {"override_settings": keys(count)},
            {"alwayson_scripts": {"override_settings": keys(count)}},
            {"alwayson_scripts": keys(count)},
        )
    ),
    ("sdwebui", Kind.IMAGE_TO_IMAGE, {"init_images": [1] * (MOST_ITEMS + 1)}),
    ("diffusers", Kind.EXTRA_BATCH_IMAGES, {"imageList": [1] * 200_000}),
    ("diffusers", Kind.EXTRA_BATCH_IMAGES, {"imageList": [1] * MOST_ITEMS}),
    ("fake", Kind.TEXT_TO_IMAGE, keys(65_000)),
    ("comfyui", Kind.PIPELINE, nodes(10_000)),
    ("comfyui", Kind.PIPELINE, nodes(50_000)),
    ("comfyui", Kind.PIPELINE, {"prompt": nodes(50_000)}),
    (
        "comfyui",
        Kind.PIPELINE,
        {"1": {"class_type": "A", "inputs": {f"i{n}": ["x", 0] for n in range(50_000)}}},
    ),
]


@pytest.mark.parametrize(("name", "kind", "content"), CONTENTS)
def test_a_crowded_content_is_compared_and_told_up_to_a_bound(
    name: str, kind: Kind, content: Any, compared: list[str]
) -> None:
    faults = TYPES[name].faults(kind, content, options(name))

    assert len(faults) <= MOST_FAULTS
    assert len(compared) <= MOST_FAULTS
    assert sum(len(str(fault)) for fault in faults) < 20_000


def test_a_name_that_is_no_misspelling_is_not_compared(compared: list[str]) -> None:
    faults = TYPES["diffusers"].faults(Kind.TEXT_TO_IMAGE, {"x" * 10**6: 1}, options("diffusers"))

    assert len(faults) == 1
    assert not compared


BODIES: Mapping[str, tuple[int, Callable[[], bytes]]] = {
    "60,000 keys": (422, lambda: json.dumps({**GOOD, **keys(60_000)}).encode()),
    "700,000 keys": (413, lambda: json.dumps({**GOOD, **keys(700_000)}).encode()),
    "50 keys": (422, lambda: json.dumps({**GOOD, **keys(48)}).encode()),
    "a long key": (422, lambda: json.dumps({**GOOD, "k" * 10**6: 1}).encode()),
    "keys of a callback": (
        422,
        lambda: json.dumps({**GOOD, "callback": keys(60_000)}).encode(),
    ),
    "events of a callback": (
        422,
        lambda: json.dumps({**GOOD, "callback": {"url": "x", "events": [1] * 60_000}}).encode(),
    ),
    "many lists": (413, lambda: b'{"content":[' + b"[]," * 3_000_000 + b"[]]}"),
    "deep lists": (413, lambda: b"[" + (b"[" * 190 + b"]" * 190 + b",") * 27_000 + b"[]]"),
    "many empty texts": (413, lambda: b"[" + b'"",' * 3_000_000 + b'""]'),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_crowded_body_is_answered_shortly(name: str, compared: list[str]) -> None:
    status, body = BODIES[name]
    world = World()
    async with world.client() as client:
        answer = await client.post(PATH, content=body())
    await world.feed.close()

    assert answer.status_code == status, answer.text[:500]
    assert len(answer.content) < 20_000
    assert len(compared) <= 50
    assert not world.topic.published


@pytest.mark.parametrize("name", ["many lists", "deep lists", "many empty texts"])
def test_what_is_too_much_is_not_parsed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", None)

    with pytest.raises(TooMany):
        strict_json.read(BODIES[name][1]())


def test_commas_and_brackets_of_a_text_are_no_values() -> None:
    text = '[{,\\"' * MOST_VALUES

    assert strict_json.read(json.dumps([text])) == [text]


@pytest.mark.parametrize("path", ["v1alpha1", "v1alpha2"])
async def test_a_crowded_task_is_too_large_for_the_contract(path: str) -> None:
    world = World()
    async with world.client() as client:
        answer = await client.post(f"/{path}", content=BODIES["many lists"][1]())
    await world.feed.close()

    assert answer.status_code == 400
    assert "payload too large" in answer.text
