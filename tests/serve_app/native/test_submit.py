"""Tasks are submitted to ``/v1``, and published as the dialects publish them."""

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from typing_extensions import override

from ingest.memory import MemoryLedger
from models.errors import Unavailable
from models.native import TaskView
from models.report import Report
from models.task import Task
from serve_app.body import LARGEST_BODY
from serve_app.watching.feed import Intervals
from tests.serve_app.world import (
    KEY,
    OTHER_KEY,
    QUICK,
    SECRET,
    BrokenTopic,
    ClosedTopic,
    World,
    settings,
)

PROMPT = "a very private owl"


def asked(**more: Any) -> dict[str, Any]:
    return {"kind": "text-to-image", "content": {"prompt": PROMPT}} | more


def problem(answer: httpx.Response) -> tuple[int, str, list[str]]:
    """Read a problem's status, type and fields."""
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == answer.status_code
    assert told["title"]
    assert told["detail"]
    word = told["type"].removeprefix("urn:atelier:")
    return answer.status_code, word, [error["field"] for error in told["errors"]]


class UnreadableLedger(MemoryLedger):
    @override
    async def find(
        self, id: str, submission: str | None = None, key: str | None = None
    ) -> Report | None:
        raise Unavailable


async def test_a_task_is_published_as_the_dialects_publish_it(
    world: World, client: httpx.AsyncClient
) -> None:
    body = asked(id="owl", runtime="SDRuntime", prefix="birds", context={"order": 7})
    answer = await client.post("/v1/tasks", json=body)

    [published] = world.topic.published
    assert answer.status_code == 202
    assert json.loads(published.message) == {
        "metadata": {
            "id": "owl",
            "runtime": "sdruntime",
            "tasktype": "text-to-image",
            "prefix": "birds",
            "context": {"order": 7},
        },
        "content": {"prompt": PROMPT},
    }
    assert published.attributes == {
        "runtime": "sdruntime",
        "submission": answer.json()["submission"],
    }


async def test_an_accepted_task_is_told_as_it_is_found(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/tasks", json=asked(id="owl", context=["mine"]))
    view = TaskView.model_validate_json(answer.content)
    found = await client.get(answer.headers["location"])

    assert (view.status, view.attempt, view.position) == ("queued", 0, 0)
    assert (view.key, view.context) == ("ana", ["mine"])
    assert answer.headers["location"] == view.status_url
    assert view.status_url == f"http://front/v1/tasks/owl?submission={view.submission}"
    assert view.events_url == f"http://front/v1/tasks/owl/events?submission={view.submission}"
    assert found.json() == answer.json()


async def test_without_an_id_the_submission_is_its_name(client: httpx.AsyncClient) -> None:
    view = (await client.post("/v1/tasks", json=asked())).json()

    assert view["id"] == view["submission"]


@pytest.mark.parametrize(
    ("kind", "runtime"), [("text-to-image", "sdruntime"), ("pipeline", "comfy")]
)
async def test_without_a_runtime_the_first_that_can_do_it_is_taken(
    client: httpx.AsyncClient, kind: str, runtime: str
) -> None:
    view = (await client.post("/v1/tasks", json=asked(kind=kind))).json()

    assert view["runtime"] == runtime


async def test_a_body_may_call_itself_anything(client: httpx.AsyncClient) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}  # what curl -d says
    answer = await client.post("/v1/tasks", content=json.dumps(asked()), headers=form)

    assert answer.status_code == 202


async def test_a_large_task_travels_as_a_pointer(world: World, client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/tasks", json=asked(content={"init_images": ["A" * 300_000]}))

    assert answer.status_code == 202
    assert "PayloadS3Pointer" in world.topic.published[0].message


@pytest.mark.parametrize(
    ("wrong", "word", "field"),
    [
        ({"runtime": "nowhere"}, "unknown-runtime", "runtime"),
        ({"runtime": "sdruntime", "kind": "pipeline"}, "unsupported-kind", "runtime"),
        ({"callback": {"url": "https://me.example"}}, "unsigned-callback", "callback"),
        ({"kind": "video"}, "invalid-request", "kind"),
        ({"id": "a/b"}, "invalid-request", "id"),
        ({"id": ""}, "invalid-request", "id"),
        ({"prefix": ""}, "invalid-request", "prefix"),
        ({"prefix": "/"}, "invalid-request", "prefix"),
        ({"prefix": "a/../b"}, "invalid-request", "prefix"),
        ({"prefix": "a\nb"}, "invalid-request", "prefix"),
        ({"prefix": "ö" * 450, "id": "a" * 200}, "invalid-request", "prefix"),
        ({"context": ["é" * 40_000]}, "invalid-request", "context"),
        ({"callback": {"url": "ftp://me.example"}}, "invalid-request", "callback.url"),
        (
            {"callback": {"url": "https://me.example", "events": ["failed", "never"]}},
            "invalid-request",
            "callback.events[1]",
        ),
        ({"promt": "x"}, "invalid-request", "promt"),
    ],
)
async def test_what_is_wrong_is_told_by_its_field(
    world: World, client: httpx.AsyncClient, wrong: Mapping[str, Any], word: str, field: str
) -> None:
    answer = await client.post("/v1/tasks", json=asked(**wrong))

    assert problem(answer) == (422, word, [field])
    assert world.topic.published == []


async def test_all_that_is_wrong_is_told_with_a_remedy(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/tasks", json={"kind": "text-to-image", "promt": 1, "id": "ä"})

    told = {error["field"]: error["message"] for error in answer.json()["errors"]}
    assert told == {
        "content": "is missing",
        "id": "must be 1 to 200 of A-Z, a-z, 0-9, '-' and '_'",
        "promt": "unknown key; allowed: callback, content, context, deadline, id, kind,"
        " prefix, runtime, ttl",
    }


async def test_a_kind_that_nothing_can_do_is_refused(
    world: World, client: httpx.AsyncClient
) -> None:
    world.kinds.clear()

    answer = await client.post("/v1/tasks", json=asked(kind="pipeline", content={}))

    assert problem(answer)[1] == "unsupported-kind"
    assert "it needs the type comfyui" in answer.json()["errors"][0]["message"]


async def test_for_a_runtime_that_is_not_there_the_type_is_named_that_it_needs(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/v1/tasks", json=asked(runtime="webui"))

    (error,) = answer.json()["errors"]
    assert error["message"].endswith("; text-to-image needs the type diffusers or sdwebui")


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"kind": NaN}', b'"\xff"', b'"\\ud800"', b"[" * 300 + b"]" * 300]
)
async def test_what_is_not_json_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    assert problem(await client.post("/v1/tasks", content=body)) == (400, "malformed-body", [])


@pytest.mark.parametrize("size", [2**20, LARGEST_BODY])
async def test_what_is_too_large_is_refused(client: httpx.AsyncClient, size: int) -> None:
    answer = await client.post("/v1/tasks", json=asked(content="A" * size))

    assert problem(answer)[:2] == (413, "too-large")


async def test_a_callback_travels_with_its_task(world: World) -> None:
    signed = World(configured=settings(callbacks={"secret": SECRET}))
    callback = {"url": "https://me.example/told?k=1", "events": ["failed"]}
    async with signed.client() as client:
        view = (await client.post("/v1/tasks", json=asked(callback=callback))).json()

    [published] = signed.topic.published
    assert json.loads(published.message)["metadata"]["callback"] == callback
    assert view["callback"] == callback | {"calls": []}


@pytest.mark.parametrize("key", ["", "ana's own ke", "ü"])
async def test_strangers_stay_outside(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.post("/v1/tasks", json=asked(), headers={b"x-api-key": key.encode()})

    assert problem(answer)[:2] == (401, "unauthorized")


async def test_a_key_is_throttled_and_told_for_how_long() -> None:
    world = World(configured=settings(burst=1))
    async with world.client() as client:
        accepted = await client.post("/v1/tasks", json=asked())
        refused = await client.post("/v1alpha2", json={})
        again = await client.get("/v1/runtimes")
        other = await client.get("/v1/runtimes", headers={"x-api-key": OTHER_KEY})

    assert (accepted.status_code, refused.status_code, other.status_code) == (202, 429, 200)
    assert problem(again)[:2] == (429, "too-many-requests")
    assert again.headers["retry-after"] == "1"


async def test_a_task_that_was_not_published_is_not_accepted() -> None:
    world = World(topic=ClosedTopic())
    async with world.client() as client:
        answer = await client.post("/v1/tasks", json=asked(id="owl"))

    assert problem(answer)[:2] == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert await world.ledger.find("owl") is None


class UnwritableLedger(MemoryLedger):
    @override
    async def queue(self, task: Task, key: str | None = None, *, published: bool = True) -> Report:
        raise Unavailable


async def test_what_the_ledger_cannot_note_is_not_published() -> None:
    """Nobody would know whose task it is that has no row in the ledger."""
    world = World(ledger=UnwritableLedger())
    async with world.client() as client:
        answer = await client.post("/v1/tasks", json=asked(id="owl"))

    assert problem(answer)[:2] == (503, "unavailable")
    assert not world.topic.published


async def test_a_ledger_that_cannot_be_read_holds_nothing_up() -> None:
    world = World(ledger=UnreadableLedger())
    async with world.client() as client:
        view = (await client.post("/v1/tasks", json=asked(id="owl"))).json()

    assert len(world.topic.published) == 1
    assert (view["id"], view["status"], view["key"]) == ("owl", "queued", "ana")
    assert view["created"] > 0


async def test_an_error_that_nobody_expected_is_a_problem_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with World(topic=BrokenTopic()).client() as client:
        answer = await client.post("/v1/tasks", json=asked())

    assert problem(answer)[:2] == (500, "internal-error")
    assert [r.message for r in caplog.records if r.levelno == logging.ERROR] == ["request_failed"]


async def test_neither_keys_nor_bodies_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    url = "https://me.example/told?token=private"
    configured = settings(callbacks={"secret": SECRET})
    with caplog.at_level(logging.DEBUG, "ray.serve.atelier"):
        for topic in (None, ClosedTopic(), BrokenTopic()):
            async with World(topic=topic, configured=configured).client() as client:
                await client.post("/v1/tasks", json=asked(callback={"url": url}))
                await client.post("/v1/tasks", json=asked(id=PROMPT))

    logged = str([vars(record) for record in caplog.records])
    assert [r.message for r in caplog.records if r.name == "ray.serve.atelier.api"] == [
        "submission_accepted",
        "request_refused",
        "request_refused",
        "request_refused",
        "request_failed",
        "request_refused",
    ]
    assert not any(word in logged for word in (PROMPT, KEY, "token=private", SECRET))


async def test_an_accepted_task_is_one_line_in_the_log(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        view = (await client.post("/v1/tasks", json=asked(id="owl"))).json()

    [line] = [vars(r) for r in caplog.records if r.name == "ray.serve.atelier.api"]
    assert (line["message"], line["api"], line["holder"]) == ("submission_accepted", "v1", "ana")
    assert (line["task"], line["submission"]) == ("owl", view["submission"])


async def test_the_dialects_note_who_sent_a_task_too(
    world: World, client: httpx.AsyncClient
) -> None:
    metadata = {"id": "owl", "runtime": "comfy", "tasktype": "pipeline", "prefix": "birds"}
    await client.post("/v1alpha2", json={"task": {"metadata": metadata, "content": {}}})

    report = await world.ledger.find("owl")
    assert report
    assert report.key == "ana"


async def submitted(world: World, name: str) -> Task:
    """Find the report on a task, once it was published."""
    async with asyncio.timeout(5):
        while not (report := await world.ledger.find(name)):
            await asyncio.sleep(0.01)
    return Task(submission=report.submission, id=name, runtime=report.runtime, kind=report.kind)


async def test_who_waits_is_answered_when_it_has_ended(
    world: World, client: httpx.AsyncClient
) -> None:
    waiting = asyncio.create_task(client.post("/v1/tasks?wait=60", json=asked(id="owl")))
    task = await submitted(world, "owl")
    await world.run(task)
    await world.complete(task)
    answer = await waiting

    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert len(answer.json()["artifacts"]) == 2
    assert answer.headers["location"]


async def test_who_waits_is_answered_when_it_was_cancelled(
    world: World, client: httpx.AsyncClient
) -> None:
    waiting = asyncio.create_task(client.post("/v1/tasks?wait=60", json=asked(id="owl")))
    await submitted(world, "owl")
    await client.delete("/v1/tasks/owl")

    assert (await waiting).json()["status"] == "cancelled"


async def test_who_waits_long_enough_is_told_so(world: World, client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/tasks?wait=0.05", json=asked())

    assert (answer.status_code, answer.json()["status"]) == (202, "queued")


async def test_an_end_is_waited_for_without_ingest_too() -> None:
    alone = Intervals(
        tick=QUICK.tick, ledger_check_alone=QUICK.ledger_check_alone, snapshot_wait=0.01
    )
    world = World(intervals=alone)
    world.ingest.go()
    async with world.client() as client:
        waiting = asyncio.create_task(client.post("/v1/tasks?wait=60", json=asked(id="owl")))
        await world.complete(await submitted(world, "owl"))
        answer = await waiting
    await world.feed.close()

    assert (answer.status_code, answer.json()["status"]) == (200, "completed")


@pytest.mark.parametrize("wait", ["-1", "61", "long", "nan"])
async def test_nobody_waits_for_ever(client: httpx.AsyncClient, wait: str) -> None:
    answer = await client.post(f"/v1/tasks?wait={wait}", json=asked())

    assert problem(answer) == (422, "invalid-request", ["wait"])
