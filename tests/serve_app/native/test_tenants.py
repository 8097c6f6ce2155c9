"""Keys are tenants: each sees, lists, downloads and cancels its own tasks, and an operator all."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest

from models.report import Status
from tests.fences import MINE
from tests.serve_app.native.test_submit import asked, problem
from tests.serve_app.world import KEY, OTHER_KEY, World, settings, task

VIEWER, OPERATOR, SECOND = "vera's key", "olga's key", "ana's second key"
KEYS = [
    {"name": "ana", "key": KEY},
    {"name": "ana", "key": SECOND},
    {"name": "bo", "key": OTHER_KEY},
    {"name": "vera", "key": VIEWER, "role": "viewer"},
    {"name": "olga", "key": OPERATOR, "role": "operator"},
]
LEGACY = {"alwayson_scripts": {"task": "text-to-image"}, "prompt": "an owl"}
NEVER = "of nobody"
"""Id of a task that never was."""


class House:
    """World with tenants, a task of ana's and one that came by SNS."""

    def __init__(self) -> None:
        self.world = World(configured=settings(apiKeys=KEYS))
        self.anas, self.bys_sns = task("s-ana"), task("s-sns", id="published")

    async def ask(
        self, key: str, method: str, path: str, headers: Mapping[str, str] = {}, **more: Any
    ) -> httpx.Response:
        """Send a request with this key."""
        async with self.world.client() as client:
            sent = {"x-api-key": key, **headers}
            return await client.request(method, path, headers=sent, **more)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    await made.world.ledger.queue(made.anas, "ana")
    await made.world.complete(made.anas)
    await made.world.ledger.start(made.bys_sns, MINE)
    yield made
    await made.world.feed.close()


READS = [
    ("GET", ""),
    ("GET", "?submission={submission}"),
    ("GET", "/events"),
    ("GET", "/events?submission={submission}"),
    ("GET", "/artifacts/0"),
    ("GET", "/artifacts/1"),
    ("GET", "/artifacts/1?submission={submission}"),
]
CANCELS = [("DELETE", ""), ("DELETE", "?submission={submission}")]


async def rows(house: House) -> Mapping[str, Any]:
    reports = house.world.ledger._reports  # noqa: SLF001 - whether anything at all was written
    return {f"{id_} {submission}": report for (id_, submission), report in reports.items()}


@pytest.mark.parametrize(("method", "path"), READS + CANCELS)
@pytest.mark.parametrize("key", [OTHER_KEY, VIEWER])
@pytest.mark.parametrize("id_", ["owl", "published"])
async def test_anothers_task_is_answered_as_one_that_never_was(
    house: House, key: str, id_: str, method: str, path: str
) -> None:
    submission = {"owl": "s-ana", "published": "s-sns"}[id_]
    before = await rows(house)
    asked_for = f"/v1/tasks/{id_}{path.format(submission=submission)}"
    unknown = f"/v1/tasks/{NEVER}{path.format(submission=submission)}"
    answer = await house.ask(key, method, asked_for)
    other = await house.ask(key, method, unknown)

    assert answer.status_code == (403 if method == "DELETE" and key == VIEWER else 404)
    assert (answer.status_code, answer.headers, answer.content) == (
        other.status_code,
        other.headers,
        other.content,
    )
    assert await rows(house) == before


@pytest.mark.parametrize("key", [KEY, SECOND, OPERATOR])
@pytest.mark.parametrize(("method", "path"), READS + CANCELS)
async def test_ones_own_task_is_there_with_any_key_of_the_name(
    house: House, key: str, method: str, path: str
) -> None:
    answer = await house.ask(key, method, f"/v1/tasks/owl{path.format(submission='s-ana')}")

    assert answer.status_code == (307 if "artifacts" in path else 200)


async def test_of_one_id_the_newest_of_ones_own_is_meant(house: House) -> None:
    await house.world.ledger.queue(task("s-bo"), "bo")

    assert (await house.ask(KEY, "GET", "/v1/tasks/owl")).json()["submission"] == "s-ana"
    assert (await house.ask(OTHER_KEY, "GET", "/v1/tasks/owl")).json()["submission"] == "s-bo"
    assert (await house.ask(OPERATOR, "GET", "/v1/tasks/owl")).json()["submission"] == "s-bo"

    ended = await house.ask(OTHER_KEY, "DELETE", "/v1/tasks/owl")

    assert (ended.json()["submission"], ended.json()["status"]) == ("s-bo", "cancelled")


async def listed(house: House, key: str, query: str = "") -> list[str]:
    answer = await house.ask(key, "GET", f"/v1/tasks{query}")
    assert answer.status_code == 200, answer.text
    return sorted(view["submission"] for view in answer.json()["tasks"])


async def test_a_list_has_ones_own(house: House) -> None:
    assert await listed(house, KEY) == await listed(house, SECOND, "?key=ana") == ["s-ana"]
    assert await listed(house, OTHER_KEY) == await listed(house, VIEWER) == []
    assert await listed(house, OPERATOR) == ["s-ana", "s-sns"]
    assert await listed(house, OPERATOR, "?key=ana") == ["s-ana"]


@pytest.mark.parametrize("key", [OTHER_KEY, VIEWER])
@pytest.mark.parametrize("name", ["ana", "nobody", "ANA", "", "olga"])
async def test_only_an_operator_lists_anothers(house: House, key: str, name: str) -> None:
    answer = await house.ask(key, "GET", f"/v1/tasks?key={name}")

    assert problem(answer)[:2] == (403, "forbidden")
    assert "leave the parameter `key` out" in answer.json()["detail"]


async def test_anothers_cursor_gives_ones_own(house: House) -> None:
    for n in range(3):
        await house.world.ledger.queue(task(f"more-{n}"), "ana")
    await house.world.ledger.queue(task("s-bo"), "bo")
    page = (await house.ask(OPERATOR, "GET", "/v1/tasks?limit=2")).json()
    for key in (OTHER_KEY, VIEWER):
        assert set(await listed(house, key, f"?cursor={page['next']}")) <= {"s-bo"}


async def test_an_idempotency_key_is_of_a_name(house: House) -> None:
    headers = {"Idempotency-Key": "order-42"}
    sent = {
        key: await house.ask(key, "POST", "/v1/tasks", headers, json=asked())
        for key in (KEY, SECOND, OTHER_KEY)
    }
    replayed = [answer.headers.get("idempotency-replayed") for answer in sent.values()]
    first, second, others = (answer.json()["submission"] for answer in sent.values())

    assert replayed == [None, "true", None]
    assert first == second != others


async def test_what_came_by_sns_is_cancelled_by_an_operator_even_before_it_comes(
    house: House,
) -> None:
    before = await rows(house)
    unknown = "/v1/tasks/later?submission=6e1f7c0e-8f5b-5c0f-9a55-2d8f3b0c9d11"
    refused = await house.ask(KEY, "DELETE", unknown)

    assert refused.status_code == 404
    assert await rows(house) == before

    answer = await house.ask(OPERATOR, "DELETE", unknown)

    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert (await house.ask(KEY, "GET", "/v1/tasks/later")).status_code == 404


@pytest.mark.parametrize("id_", ["a/%2e%2e/b", "a//b", "/a", "a/", "a%00b", "a%0ab"])
async def test_an_operator_writes_no_row_of_an_id_that_no_task_has(house: House, id_: str) -> None:
    before = await rows(house)
    answer = await house.ask(OPERATOR, "DELETE", f"/v1/tasks/{id_}?submission=x")

    assert answer.status_code == 404
    assert await rows(house) == before


async def test_a_viewer_submits_nothing_and_cancels_nothing(house: House) -> None:
    house.world.topic.published.clear()
    await house.world.ledger.queue(task("s-vera", id="veras"), "vera")
    for method, path in [("POST", "/v1/tasks"), ("DELETE", "/v1/tasks/veras")]:
        answer = await house.ask(VIEWER, method, path, json=asked())

        assert problem(answer)[:2] == (403, "forbidden")
        assert "this needs artist" in answer.json()["detail"]
    for path in ("/v1alpha1", "/v1alpha2"):
        refused = await house.ask(VIEWER, "POST", path, json=LEGACY)

        assert (refused.status_code, refused.text) == (403, '{"message":"Forbidden"}')
    assert not house.world.topic.published
    assert (await house.ask(VIEWER, "GET", "/v1/tasks/veras")).status_code == 200


@pytest.mark.parametrize("key", [KEY, VIEWER, OPERATOR])
@pytest.mark.parametrize("path", ["/v1/runtimes", "/v1/checkpoints"])
async def test_what_there_is_everybody_may_know(house: House, key: str, path: str) -> None:
    assert (await house.ask(key, "GET", path)).status_code == 200


async def test_keys_of_one_name_share_the_throttle() -> None:
    world = World(configured=settings(burst=2, apiKeys=KEYS))
    statuses = []
    async with world.client() as client:
        for key in (KEY, SECOND, KEY, OTHER_KEY):
            answer = await client.get("/v1/checkpoints", headers={"x-api-key": key})
            statuses.append(answer.status_code)

    assert statuses == [200, 200, 429, 200]


async def test_a_cancelled_task_of_another_stays_as_it_is(house: House) -> None:
    running = task("s-run", id="running")
    await house.world.ledger.queue(running, "ana")
    await house.world.run(running)
    await house.ask(OTHER_KEY, "DELETE", "/v1/tasks/running?submission=s-run")
    report = await house.world.ledger.find("running", "s-run")

    assert report is not None
    assert report.status is Status.RUNNING
