"""Time limits of tasks are taken, told and refused by name."""

import json
from typing import Any

import httpx
import pytest

from models.errors import TaskExpired
from models.native import TaskRequest
from models.report import Report, Status
from serve_app.native.accepted import AcceptedTask
from tests.fences import MINE
from tests.serve_app.native.test_submit import asked, problem
from tests.serve_app.world import World, task


async def test_limits_travel_in_the_message_and_are_told(
    world: World, client: httpx.AsyncClient
) -> None:
    answer = await client.post(
        "/v1/tasks", json=asked(id="owl", ttl=90, deadline="1970-01-01T02:00:00+01:00")
    )
    view = answer.json()

    assert answer.status_code == 202, answer.text
    metadata = json.loads(world.topic.published[0].message)["metadata"]
    assert (metadata["ttl"], metadata["deadline"]) == (90, 3600)
    assert (view["ttl"], view["deadline"]) == (90, 3600)
    found = (await client.get("/v1/tasks/owl")).json()
    assert (found["ttl"], found["deadline"]) == (90, 3600)


async def test_an_expired_task_is_told_as_failed(world: World, client: httpx.AsyncClient) -> None:
    failed = Report.of(task(ttl=5.0), Status.QUEUED).failed(TaskExpired("expired: it waited"))
    await world.ledger.finish(failed, MINE)
    view = (await client.get("/v1/tasks/owl")).json()

    assert (view["status"], view["attempt"]) == ("failed", 0)
    assert view["error"] == {
        "kind": "TaskExpired",
        "message": "expired: it waited",
        "reason": None,
    }


@pytest.mark.parametrize(
    ("field", "given", "why"),
    [
        ("ttl", 0, "greater than 0"),
        ("ttl", -1, "greater than 0"),
        ("ttl", 1_209_601, "less than or equal to 1209600"),
        ("ttl", "soon", "must be a number"),
        ("ttl", True, "must be a number"),
        ("deadline", 999, "has passed"),
        ("deadline", -1, "must be seconds since 1970"),
        ("deadline", True, "must be seconds since 1970"),
        ("deadline", [], "must be seconds since 1970"),
        ("deadline", "2026-12-01T12:00:00", "must be seconds since 1970"),
        ("deadline", "tomorrow", "must be seconds since 1970"),
        ("deadline", 1e300, "must be seconds since 1970"),
        ("deadline", 10**400, "must be seconds since 1970"),
    ],
)
async def test_a_limit_that_is_none_is_refused_by_name(
    world: World, client: httpx.AsyncClient, field: str, given: Any, why: str
) -> None:
    answer = await client.post("/v1/tasks", json=asked(**{field: given}))

    assert problem(answer) == (422, "invalid-request", [field])
    assert why in answer.json()["errors"][0]["message"]
    assert not world.topic.published


async def test_what_was_sent_in_time_is_answered_as_it_was_after_its_deadline(
    world: World, client: httpx.AsyncClient
) -> None:
    key = {"idempotency-key": "k"}
    first = await client.post("/v1/tasks", json=asked(deadline=world.wall.now + 60), headers=key)
    late = asked(deadline=world.wall.now + 60)
    world.wall.now += 61
    again = await client.post("/v1/tasks", json=late, headers=key)
    other = await client.post("/v1/tasks", json=late, headers={"idempotency-key": "l"})

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["submission"] == first.json()["submission"]
    assert again.headers["idempotency-replayed"] == "true"
    assert problem(other) == (422, "invalid-request", ["deadline"])
    assert len(world.topic.published) == 1


def test_a_request_without_limits_is_the_one_that_it_was() -> None:
    """The digest of a claim that is kept for a day, from before there were limits."""
    request = TaskRequest.model_validate({"kind": "text-to-image", "content": {}})
    accepted = AcceptedTask(request=request, runtime="sdruntime", holder="ana", submission="s1")
    limited = AcceptedTask(
        request=request.model_copy(update={"ttl": 5.0}),
        runtime="sdruntime",
        holder="ana",
        submission="s1",
    )

    assert accepted.digest == "e3f4bb9a44510bb2054b6b18ab34ede16f41b0682b95878d060227704a247b75"
    assert limited.digest != accepted.digest
