"""Wrong requests of every kind: the answer names the field in our words, and none of Python's."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.fuzz.bounds import check_words
from tests.serve_app.world import World

PATH = "/v1/tasks"
GOOD = {"kind": "text-to-image", "content": {"prompt": "an owl"}}


@dataclass(frozen=True)
class Wrong:
    """A request, the status that it is answered with, and a part of the answer."""

    status: int
    says: str
    body: bytes | Mapping[str, Any] = b""
    query: str = ""
    headers: Mapping[str, str] | None = None


def deep(levels: int) -> bytes:
    nested = b"[" * levels + b"]" * levels
    return b'{"kind": "text-to-image", "content": ' + nested + b"}"


JSON = "must be JSON in UTF-8"
WRONG: Mapping[str, Wrong] = {
    "no body": Wrong(400, JSON),
    "no JSON": Wrong(400, JSON, b"make me a picture"),
    "another encoding": Wrong(400, JSON, json.dumps(GOOD).encode("utf-16")),
    "a byte order mark": Wrong(400, JSON, b"\xef\xbb\xbf" + json.dumps(GOOD).encode()),
    "not a number": Wrong(400, JSON, b'{"kind": "text-to-image", "content": NaN}'),
    "infinity": Wrong(400, JSON, b'{"kind": "text-to-image", "content": 1e999}'),
    "half of a character": Wrong(400, JSON, b'{"kind": "text-to-image", "content": "\\ud83d"}'),
    "201 levels": Wrong(400, JSON, deep(201)),
    "100,000 levels": Wrong(400, JSON, deep(100_000)),
    "5,000 digits": Wrong(400, JSON, b'{"kind": "x", "content": ' + b"1" * 5000 + b"}"),
    "a list": Wrong(422, "errors", b"[]"),
    "null": Wrong(422, "errors", b"null"),
    "a misspelt field": Wrong(422, "did you mean 'prefix'", {**GOOD, "prefx": "a"}),
    "no kind": Wrong(422, "is missing", {"content": {}}),
    "another kind": Wrong(422, "kind", {**GOOD, "kind": "text-to-war"}),
    "another runtime": Wrong(422, "must be one of", {**GOOD, "runtime": "nobody"}),
    "a runtime that is a path": Wrong(422, "runtime", {**GOOD, "runtime": "../x"}),
    "an id that is a path": Wrong(422, "must be 1 to 200", {**GOOD, "id": "../../etc"}),
    "an id with a line feed": Wrong(422, "must be 1 to 200", {**GOOD, "id": "a\n"}),
    "an empty id": Wrong(422, "must be 1 to 200", {**GOOD, "id": ""}),
    "a long id": Wrong(422, "must be 1 to 200", {**GOOD, "id": "x" * 201}),
    "a prefix that leaves": Wrong(422, "must be folders", {**GOOD, "prefix": "a/../../b"}),
    "a prefix with NUL": Wrong(422, "must be folders", {**GOOD, "prefix": "a\0"}),
    "a prefix that is hidden": Wrong(422, "must be folders", {**GOOD, "prefix": ".aws"}),
    "a callback by file": Wrong(
        422, "must be an http or https URL", {**GOOD, "callback": {"url": "file:///etc/passwd"}}
    ),
    "a callback with a line feed": Wrong(
        422, "must be an http or https URL", {**GOOD, "callback": {"url": "http://a/\r\nX: y"}}
    ),
    "a wait that is no number": Wrong(422, "wait", GOOD, "?wait=soon"),
    "a wait of NaN": Wrong(422, "wait", GOOD, "?wait=nan"),
    "an endless wait": Wrong(422, "wait", GOOD, "?wait=inf"),
    "a misspelt parameter": Wrong(422, "wiat", GOOD, "?wiat=1"),
    "a parameter twice": Wrong(422, "must be given once", GOOD, "?wait=1&wait=2"),
    "an empty idempotency key": Wrong(422, "Idempotency-Key", GOOD, "", {"Idempotency-Key": ""}),
    "an idempotency key with a blank": Wrong(
        422, "Idempotency-Key", GOOD, "", {"Idempotency-Key": "a b"}
    ),
}
LISTED: Mapping[str, str] = {
    "?limit=0": "limit",
    "?limit=1e9": "limit",
    "?status=done": "status",
    "?since=yesterday": "must be seconds since 1970",
    "?since=nan": "must be seconds since 1970",
    "?since=-1": "must be seconds since 1970",
    "?until=2026-13-01T00:00:00Z": "must be seconds since 1970",
    "?until=999999999999999999999999T": "must be seconds since 1970",
    "?cursor=x": "must be the `next` of the page before",
    "?cursor=" + "A" * 5000: "cursor",
    "?runtime=../x": "runtime",
    "?" + "&".join(f"runtime=r{n}" for n in range(21)): "runtime",
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_submission_is_told_in_our_words(wrong: Wrong) -> None:
    world = World()
    body = wrong.body if isinstance(wrong.body, bytes) else json.dumps(wrong.body).encode()
    async with world.client() as client:
        answer = await client.post(f"{PATH}{wrong.query}", content=body, headers=wrong.headers)

    assert answer.status_code == wrong.status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert wrong.says in answer.text
    assert len(answer.text) < 1500
    check_words(answer.text)
    assert not world.topic.published
    await world.feed.close()


@pytest.mark.parametrize("query", LISTED)
async def test_a_wrong_question_is_told_in_our_words(query: str) -> None:
    world = World()
    async with world.client() as client:
        answer = await client.get(f"{PATH}{query}")

    assert answer.status_code == 422
    assert LISTED[query] in answer.text
    assert len(answer.text) < 1500
    check_words(answer.text)
    await world.feed.close()
