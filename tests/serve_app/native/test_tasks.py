"""Tasks are found, listed and cancelled, whoever sent them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
from typing_extensions import override

from ingest.memory import MemoryLedger
from models.errors import TaskFailed, Unavailable
from models.fleet import Demand, StartPhase, Supply
from models.report import Progress, Report, Stage, Status
from models.task import Call, Callback
from tests.clock import Clock
from tests.fences import MINE
from tests.serve_app.native.test_submit import problem
from tests.serve_app.world import QUICK, World, task

OWL = task()
DEMAND = Demand(waiting=4, running=0, seconds=5)


class SilentLedger(MemoryLedger):
    @override
    async def find(
        self, id: str, submission: str | None = None, key: str | None = None
    ) -> Report | None:
        raise Unavailable


async def get(client: httpx.AsyncClient, path: str = "owl", **params: Any) -> Mapping[str, Any]:
    answer = await client.get(f"/v1/tasks/{path}", params=params)
    assert answer.status_code == 200, answer.text
    view: Mapping[str, Any] = answer.json()
    return view


async def test_a_completed_task_is_told_with_its_artifacts(
    world: World, client: httpx.AsyncClient
) -> None:
    await world.ledger.queue(replace(OWL, context={"order": 7}), "ana")
    report = await world.complete(OWL)
    view = await get(client)

    assert (view["status"], view["seconds"], view["key"]) == ("completed", {"run": 2.5}, "ana")
    assert view["artifacts"] == [
        {"n": n, "uri": uri, "url": await world.objects.link(uri, 3600)}
        for n, uri in enumerate(report.artifacts, 1)
    ]
    assert view["output"]["n"] == 0
    assert view["output"]["uri"] == report.output
    assert view["error"] is None


async def test_a_failed_task_is_told_with_its_error(
    world: World, client: httpx.AsyncClient
) -> None:
    failed = Report.of(OWL, Status.RUNNING, 1).failed(TaskFailed("no", reason={"code": 4}))
    await world.ledger.finish(failed, MINE)

    error = {"kind": "TaskFailed", "message": "no", "reason": {"code": 4}}
    assert (await get(client))["error"] == error


async def test_a_callback_is_told_with_its_calls(world: World, client: httpx.AsyncClient) -> None:
    await world.ledger.queue(replace(OWL, callback=Callback(url="https://me.example")))
    await world.ledger.add_call("owl", "s1", Call(event="completed", at=7.0, status=204))

    assert (await get(client))["callback"] == {
        "url": "https://me.example",
        "events": ["completed", "failed", "cancelled"],
        "calls": [{"event": "completed", "at": 7.0, "status": 204, "error": None}],
    }


async def test_a_queued_task_is_told_with_its_position_and_its_wait(
    world: World, client: httpx.AsyncClient
) -> None:
    world.ledger.clock = clock = Clock()
    for n in range(4):
        await world.ledger.queue(task(f"s{n}", id=f"owl-{n}"))
        clock.now += 1
    world.scale(Supply(wanted=1, running=("r1",)), DEMAND)
    await world.feed.ready()
    view = await get(client, "owl-2")

    assert (view["position"], view["eta_seconds"]) == (2, 15.0)
    assert (view["phase"], view["why"]) == ("3rd in the queue", None)


@pytest.mark.parametrize(
    ("supply", "told"),
    [
        (Supply(wanted=0, start_seconds=60), ("waiting for a replica", 65.0, None)),
        (
            Supply(wanted=1, starting=1, start_seconds=60, phase=StartPhase.NODE),
            ("waiting for a node", 65.0, None),
        ),
        (
            Supply(wanted=1, starting=1, starting_seconds=40, start_seconds=60),
            ("starting a replica", 25.0, None),
        ),
        (
            Supply(wanted=1, starting=1, phase=StartPhase.NODE, obstacle="no Spot capacity"),
            ("waiting for a node", 125.0, "no Spot capacity"),
        ),
        (
            Supply(wanted=1, running=("r1",), reason="limit reached: maxReplicas 1"),
            ("1st in the queue", 5.0, "limit reached: maxReplicas 1"),
        ),
        (
            Supply(wanted=2, running=("r1",), starting=1, phase=StartPhase.NODE),
            ("1st in the queue", 5.0, None),
        ),
    ],
)
async def test_a_submission_and_a_look_say_what_the_task_waits_for(
    world: World, client: httpx.AsyncClient, supply: Supply, told: tuple[str, float, str | None]
) -> None:
    world.scale(supply, DEMAND)
    await world.feed.ready()
    body = {"runtime": "sdruntime", "kind": "text-to-image", "content": {"prompt": "an owl"}}
    sent = (await client.post("/v1/tasks", json=body)).json()
    seen = await get(client, sent["id"])

    for view in (sent, seen):
        assert (view["phase"], view["eta_seconds"], view["why"]) == told


@pytest.mark.parametrize("stage", Stage)
async def test_a_running_task_is_told_with_what_its_replica_does(
    world: World, client: httpx.AsyncClient, stage: Stage
) -> None:
    await world.run(OWL)
    world.board.publish("s1", stage)
    world.scale(Supply(wanted=1, obstacle="no Spot capacity"), DEMAND)
    await world.feed.ready()
    view = await get(client)

    assert (view["phase"], view["why"], view["eta_seconds"]) == (stage.value, None, None)


async def test_what_has_ended_is_in_no_phase(world: World, client: httpx.AsyncClient) -> None:
    await world.complete(OWL)

    assert (await get(client))["phase"] is None


async def test_a_burst_is_told_its_places_though_the_ledger_is_asked_once() -> None:
    world = World(intervals=replace(QUICK, cache=3600))
    world.ledger.clock = clock = Clock()
    body = {"runtime": "sdruntime", "kind": "text-to-image", "content": {"prompt": "an owl"}}
    async with world.client() as client:
        positions = []
        for _ in range(3):
            positions.append((await client.post("/v1/tasks", json=body)).json()["position"])
            clock.now += 1
        ids = [view["id"] for view in (await client.get("/v1/tasks")).json()["tasks"]]
        again = [(await get(client, id_))["position"] for id_ in reversed(ids)]
    await world.feed.close()

    assert positions == again == [0, 1, 2]


async def test_far_behind_the_position_is_not_known(
    world: World, client: httpx.AsyncClient
) -> None:
    world.ledger.clock = clock = Clock()
    for n in range(1_001):
        await world.ledger.queue(task(f"s{n}", id=f"owl-{n}"))
        clock.now += 1

    assert (await get(client, "owl-999"))["position"] == 999
    assert (await get(client, "owl-1000"))["position"] is None


async def test_a_running_task_is_told_with_its_progress(
    world: World, client: httpx.AsyncClient
) -> None:
    await world.run(OWL)
    world.board.publish("s1", Progress(step=3, of=9, preview=b"png"))
    await world.feed.ready()
    view = await get(client)

    assert view["progress"] == {"step": 3, "of": 9}
    assert view["position"] is None


async def test_where_ingest_is_away_the_rest_is_told(
    world: World, client: httpx.AsyncClient
) -> None:
    world.ingest.go()
    await world.ledger.queue(OWL)
    await world.ledger.start(task("s2", id="other"), MINE)
    queued, running = await get(client), await get(client, "other")

    assert (queued["position"], queued["eta_seconds"]) == (0, None)
    assert (queued["phase"], queued["why"]) == ("1st in the queue", None)
    assert (running["status"], running["progress"]) == ("running", None)
    assert running["phase"] == "running"
    assert world.ingest.paced == 0  # it was not waited for


async def test_the_newest_of_an_id_is_found_or_the_one_that_is_named(
    world: World, client: httpx.AsyncClient
) -> None:
    await world.complete(task("old"))
    await world.ledger.queue(task("new"))

    assert (await get(client))["submission"] == "new"
    assert (await get(client, submission="old"))["status"] == "completed"


async def test_an_id_may_have_slashes(world: World, client: httpx.AsyncClient) -> None:
    await world.complete(task("s1", id="by/topic"))
    for path in ("by/topic", "by%2Ftopic"):
        assert (await get(client, path))["id"] == "by/topic"
    artifact = await client.get("/v1/tasks/by/topic/artifacts/1")

    assert artifact.status_code == 307
    assert (await get(client, "by/topic"))["status_url"].endswith("/by/topic?submission=s1")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_what_is_unknown_is_not_found(client: httpx.AsyncClient, method: str) -> None:
    assert problem(await client.request(method, "/v1/tasks/owl"))[:2] == (404, "not-found")


@pytest.mark.parametrize(
    "path",
    ["owl?submision=s1", "owl?submission=s1&submission=s2", "owl?submission=a/b", "x" * 513],
)
async def test_a_misspelt_request_is_told(
    world: World, client: httpx.AsyncClient, path: str
) -> None:
    await world.ledger.queue(OWL)
    answer = await client.delete(f"/v1/tasks/{path}")
    report = await world.ledger.find("owl")

    assert problem(answer)[:2] == (422, "invalid-request")
    assert report
    assert report.status is Status.QUEUED


async def test_an_artifact_is_where_its_url_says(world: World, client: httpx.AsyncClient) -> None:
    report = await world.complete(OWL)
    links = [
        (await client.get(f"/v1/tasks/owl/artifacts/{n}")).headers["location"] for n in (0, 1, 2)
    ]

    uris = [report.output, *report.artifacts]
    assert links == [f"{uri}?expires=3600" for uri in uris]


@pytest.mark.parametrize("n", [3, 10**30])
async def test_there_are_no_more_artifacts(world: World, client: httpx.AsyncClient, n: int) -> None:
    await world.complete(OWL)
    answer = await client.get(f"/v1/tasks/owl/artifacts/{n}")

    assert problem(answer)[:2] == (404, "not-found")
    assert answer.json()["detail"] == "It has 2 artifacts now."


async def test_a_queued_task_has_no_output(world: World, client: httpx.AsyncClient) -> None:
    await world.ledger.queue(OWL)

    assert (await client.get("/v1/tasks/owl/artifacts/0")).status_code == 404
    assert problem(await client.get("/v1/tasks/owl/artifacts/-1"))[:2] == (422, "invalid-request")


async def test_a_queued_task_is_cancelled(world: World, client: httpx.AsyncClient) -> None:
    await world.ledger.queue(OWL)
    answers = [await client.delete("/v1/tasks/owl") for _ in range(2)]

    assert [(a.status_code, a.json()["status"]) for a in answers] == [(200, "cancelled")] * 2
    assert world.board.stops.is_stopped("s1")
    assert len(world.results.published) == 1


async def test_a_running_task_is_cancelled(world: World, client: httpx.AsyncClient) -> None:
    stopped: list[str] = []
    with (
        world.board.holding("sdruntime", "s1"),
        world.board.stops.running("s1", lambda: stopped.append("s1")),
    ):
        await world.run(OWL)
        answer = await client.delete("/v1/tasks/owl")

    assert answer.json()["status"] == "cancelled"
    assert stopped == ["s1"]


async def test_what_has_ended_stays_as_it_ended(world: World, client: httpx.AsyncClient) -> None:
    await world.complete(OWL)
    answer = await client.delete("/v1/tasks/owl")

    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert world.results.published == []


async def test_what_is_not_known_yet_is_cancelled_by_its_submission(
    world: World, client: httpx.AsyncClient
) -> None:
    unknown = await client.delete("/v1/tasks/owl")
    answer = await client.delete("/v1/tasks/owl?submission=0b0c-message-id")
    started = await world.ledger.start(task("0b0c-message-id"), MINE)

    assert "?submission=<its MessageId>" in unknown.json()["detail"]
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert answer.json()["runtime"] == ""
    assert started.status is Status.CANCELLED


async def test_one_sending_is_cancelled_of_several(world: World, client: httpx.AsyncClient) -> None:
    for submission in ("old", "new"):
        await world.ledger.queue(task(submission))
    await client.delete("/v1/tasks/owl?submission=old")

    assert (await get(client, submission="old"))["status"] == "cancelled"
    assert (await get(client, submission="new"))["status"] == "queued"


async def test_where_the_ledger_is_away_it_is_said() -> None:
    async with World(ledger=SilentLedger()).client() as client:
        answer = await client.get("/v1/tasks/owl")

    assert problem(answer)[:2] == (503, "unavailable")
    assert answer.headers["retry-after"]


class Listed:
    """World with six tasks, created a second apart."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.ledger.clock = self.clock = Clock()

    async def fill(self) -> None:
        for n in range(6):
            runtime = "comfy" if n % 2 else "sdruntime"
            one = task(f"s{n}", id=f"owl-{n}", runtime=runtime)
            await self.world.ledger.queue(one, "ana" if n < 4 else None)
            if n < 2:
                await self.world.complete(one)
            self.clock.now += 1


@pytest.fixture
async def listed(world: World) -> Listed:
    made = Listed(world)
    await made.fill()
    return made


async def found(client: httpx.AsyncClient, query: str = "") -> list[int]:
    answer = await client.get(f"/v1/tasks{query}")
    assert answer.status_code == 200, answer.text
    return [int(view["id"].removeprefix("owl-")) for view in answer.json()["tasks"]]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [5, 4, 3, 2, 1, 0]),
        ("?status=completed", [1, 0]),
        ("?status=completed&status=queued", [5, 4, 3, 2, 1, 0]),
        ("?status=failed", []),
        ("?runtime=comfy", [5, 3, 1]),
        ("?runtime=COMFY&runtime=sdruntime&runtime=gone", [5, 4, 3, 2, 1, 0]),
        ("?runtime=gone", []),
        ("?key=ana&status=queued", [3, 2]),
        ("?since=1003", [5, 4, 3]),
        ("?since=1970-01-01T00:16:43Z", [5, 4, 3]),
        ("?since=1970-01-01T01:16:43%2B01:00", [5, 4, 3]),
        ("?until=1002.5", [2, 1, 0]),
        ("?since=1001&until=1003&limit=1", [2]),
    ],
)
async def test_a_list_is_of_what_is_asked_for(
    listed: Listed, client: httpx.AsyncClient, query: str, numbers: list[int]
) -> None:
    assert await found(client, query) == numbers


async def test_pages_hold_each_task_once_whatever_comes_meanwhile(
    listed: Listed, world: World, client: httpx.AsyncClient
) -> None:
    numbers, cursor = [], ""
    while cursor is not None:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/tasks", params=params)).json()
        numbers += [view["id"] for view in page["tasks"]]
        cursor = page["next"]
        listed.clock.now += 1
        await world.ledger.queue(task(f"new-{cursor}", id=f"new-{len(numbers)}"))

    assert numbers == [f"owl-{n}" for n in (5, 4, 3, 2, 1, 0)]


async def test_a_listed_task_has_its_links(listed: Listed, client: httpx.AsyncClient) -> None:
    page = (await client.get("/v1/tasks?status=completed&limit=1")).json()

    [view] = page["tasks"]
    assert [artifact["n"] for artifact in view["artifacts"]] == [1, 2]
    assert view["artifacts"][0]["url"].startswith(view["artifacts"][0]["uri"])
    assert view["status_url"].startswith("http://front/v1/tasks/owl-1?")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status[0]"),
        ("state=queued", "state"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=many", "limit"),
        ("since=yesterday", "since"),
        ("since=2026-01-31T12:00:00", "since"),
        ("until=nan", "until"),
        ("until=-1", "until"),
        ("cursor=x", "cursor"),
        ("cursor=0", "cursor"),
        ("cursor=", "cursor"),
    ],
)
async def test_a_wrong_parameter_is_told_by_its_name(
    client: httpx.AsyncClient, query: str, field: str
) -> None:
    answer = await client.get(f"/v1/tasks?{query}")

    assert problem(answer) == (422, "invalid-request", [field])
