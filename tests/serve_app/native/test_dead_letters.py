"""Dead letters are listed, shown, sent again and deleted by operators."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from ingest.memory import MemoryQueue
from models.wire import body_of, pointer_to
from tests.fences import MINE
from tests.serve_app.native.test_submit import problem
from tests.serve_app.world import OTHER_KEY, World, task

OWL = task()
UNKNOWN = "00000000-0000-0000-0000-000000000000"


async def refused(queue: MemoryQueue, body: Any, reason: str = "no id", **attributes: str) -> str:
    """Let ingest refuse a message; return its dead letter's id."""
    text = body if isinstance(body, str) else json.dumps(body)
    await queue.send(text, attributes)
    (delivery,) = await queue.receive(1)
    await queue.reject(delivery, reason)
    return queue.letters.messages[-1].id


async def by_sns(world: World, body: Any, **attributes: str) -> str:
    """Publish a message, with SNS's envelope, that the queue's worker refuses."""
    queue = MemoryQueue(wait=0)
    world.topic.subscribe(queue)
    await world.topic.publish(json.dumps(body), attributes)
    (delivery,) = await queue.receive(1)
    world.topic._subscriptions.pop()  # noqa: SLF001 - of this message alone
    return await refused(world.queues["sdruntime"], delivery.body)


async def ask(
    client: httpx.AsyncClient, path: str, status: int = 200, **body: Any
) -> Mapping[str, Any]:
    url = f"/v1/dead-letters{path}"
    answer = await (client.post(url, json=body) if body else client.get(url))
    assert answer.status_code == status, answer.text
    found: Mapping[str, Any] = answer.json()
    return found


async def test_letters_of_all_queues_are_listed_the_newest_first(
    world: World, client: httpx.AsyncClient
) -> None:
    first = await refused(world.queues["sdruntime"], "no JSON", "no proper JSON")
    second = await refused(world.queues["comfy"], body_of(OWL), submission="s1")
    await world.unrouted.send("{}", {"runtime": "paintr"})
    listed = await ask(client, "")

    found = [(letter["queue"], letter["id"], letter["reason"]) for letter in listed["letters"]]
    assert found[1:] == [("comfy", second, "no id"), ("sdruntime", first, "no proper JSON")]
    assert found[0][0] == "tasks-unrouted"
    assert found[0][2] == "no runtime takes it"
    assert listed["complete"] is True
    waiting = {queue["name"]: queue["waiting"] for queue in listed["queues"]}
    assert waiting == {"sdruntime": 1, "comfy": 1, "results-callbacks": 0, "tasks-unrouted": 1}
    (only,) = (await ask(client, "?queue=COMFY"))["letters"]
    assert (only["task"], only["submission"], only["status"]) == ("owl", "s1", None)


async def test_a_letter_that_was_looked_at_is_there_for_the_next(
    world: World, client: httpx.AsyncClient
) -> None:
    letter = await refused(world.queues["sdruntime"], "no JSON")
    for _ in range(2):
        assert (await ask(client, f"/sdruntime/{letter}"))["body"] == "no JSON"
        assert len((await ask(client, ""))["letters"]) == 1
    assert (await ask(client, f"/sdruntime/{letter}"))["receives"] == 5


async def test_pages_have_each_letter_once(world: World, client: httpx.AsyncClient) -> None:
    made = [await refused(world.queues["sdruntime"], str(n)) for n in range(25)]
    seen: list[str] = []
    query = "?queue=sdruntime&limit=10"
    for size in (10, 10, 5):
        page = await ask(client, query)
        assert len(page["letters"]) == size
        seen += [letter["id"] for letter in page["letters"]]
        query = f"?queue=sdruntime&limit=10&cursor={page['next']}"

    assert page["next"] is None
    assert sorted(seen) == sorted(made)
    refusal = await ask(client, "?cursor=abc", 422)
    assert refusal["errors"][0]["field"] == "cursor"


async def test_what_the_ledger_knows_is_shown(world: World, client: httpx.AsyncClient) -> None:
    await world.ledger.queue(OWL, "ana")
    await world.ledger.start(OWL, MINE)
    letter = await refused(world.queues["sdruntime"], body_of(OWL), submission="s1")
    view = await ask(client, f"/sdruntime/{letter}")

    assert (view["status"], view["attempt"], view["attributes"]) == (
        "running",
        1,
        {"submission": "s1"},
    )


async def test_secrets_and_controls_are_not_shown(world: World, client: httpx.AsyncClient) -> None:
    body = body_of(task(context={"api_key": "k-1234", "note": "\x1b[31mred"}))
    body["content"] = {"init_images": ["https://me:pw@host/a.png?X-Amz-Signature=zz-two"]}
    letter = await refused(
        world.queues["sdruntime"], body, "payload https://h/p?sig=zz-three \x1b[2J is missing"
    )
    answer = await client.get(f"/v1/dead-letters/sdruntime/{letter}")

    for secret in ("k-1234", "me:pw", "zz-two", "zz-three", "\x1b"):
        assert secret not in answer.text
    assert "https://(hidden)@host/a.png?(hidden)" in answer.json()["body"]


async def test_a_letter_is_sent_to_its_queue_as_it_was(
    world: World, client: httpx.AsyncClient
) -> None:
    queue = world.queues["sdruntime"]
    kept = await refused(queue, "other")
    letter = await refused(queue, body_of(OWL), submission="s1", owner="ana")
    done = await ask(client, "/sdruntime/redrive", ids=[letter, UNKNOWN])

    outcomes = {each["id"]: each["outcome"] for each in done["outcomes"]}
    assert outcomes == {letter: "sent", UNKNOWN: "missing"}
    (sent,) = await queue.receive(10)
    assert json.loads(sent.body) == body_of(OWL)
    assert sent.attributes == {"submission": "s1", "owner": "ana"}
    assert [each.id for each in queue.letters.messages] == [kept]
    again = await ask(client, "/sdruntime/redrive", ids=[letter])
    assert again["outcomes"][0]["outcome"] == "missing"
    assert not await queue.receive(1)


async def test_a_letter_without_an_identity_of_its_own_keeps_that_of_its_message(
    world: World, client: httpx.AsyncClient
) -> None:
    queue = world.queues["sdruntime"]
    letter = await refused(queue, body_of(OWL))
    done = await ask(client, "/sdruntime/redrive", ids=[letter])
    (sent,) = await queue.receive(1)

    assert sent.attributes == {"submission": letter}
    assert done["outcomes"][0]["submission"] == letter


async def test_all_are_sent_but_what_comes_back_meanwhile(
    world: World, client: httpx.AsyncClient
) -> None:
    queue = world.queues["sdruntime"]
    for n in range(12):
        await refused(queue, str(n))
    world.wall.now = queue.letters.messages[-1].sent
    for n in range(3):
        await refused(queue, f"later {n}")
    done = await ask(client, "/sdruntime/redrive", all=True)

    assert len(done["outcomes"]) == 12
    assert done["more"] is False
    assert done["before"] == world.wall.now
    assert len(queue.letters.messages) == 3


async def test_what_has_ended_is_said(world: World, client: httpx.AsyncClient) -> None:
    await world.complete(OWL)
    letter = await refused(world.queues["sdruntime"], body_of(OWL), submission="s1")
    (done,) = (await ask(client, "/sdruntime/redrive", ids=[letter]))["outcomes"]

    assert (done["outcome"], done["status"], done["submission"]) == ("sent", "completed", "s1")
    assert "not drawn again" in done["note"]


async def test_sent_anew_it_is_another_submission_the_same_for_each_copy(
    world: World, client: httpx.AsyncClient
) -> None:
    await world.complete(OWL)
    letter = await by_sns(world, body_of(OWL), runtime="sdruntime", submission="s1")
    queue = world.queues["sdruntime"]
    copy = queue.letters.messages[-1]
    (done,) = (await ask(client, "/sdruntime/redrive", ids=[letter], anew=True))["outcomes"]
    queue.letters.keep(copy)
    await ask(client, "/sdruntime/redrive", ids=[letter], anew=True)
    sent = await queue.receive(10)

    assert [each.attributes["submission"] for each in sent] == [done["submission"]] * 2
    assert done["submission"] != "s1"
    assert done["note"] is None
    assert json.loads(sent[0].body) == body_of(OWL)
    assert sent[0].attributes["runtime"] == "sdruntime"


async def test_an_edit_changes_the_message_that_is_sent(
    world: World, client: httpx.AsyncClient
) -> None:
    body = body_of(OWL)
    del body["metadata"]["id"]
    body["content"] = {"prompt": "an owl", "stpes": 8}
    letter = await by_sns(world, body, runtime="sdruntime", submission="s7")
    edit = {"metadata": {"id": "owl"}, "content": {"stpes": None, "steps": 8}}
    (done,) = (await ask(client, "/sdruntime/redrive", ids=[letter], edit=edit))["outcomes"]
    (sent,) = await world.queues["sdruntime"].receive(1)

    assert (done["task"], done["submission"]) == ("owl", "s7")
    read = json.loads(sent.body)
    assert read["metadata"]["id"] == "owl"
    assert read["content"] == {"prompt": "an owl", "steps": 8}
    assert sent.attributes == {"submission": "s7", "runtime": "sdruntime"}


@pytest.mark.parametrize(
    ("body", "edit", "why"),
    [
        ({"metadata": {}, "content": {}}, {"content": {"a": 1}}, "metadata.id is missing"),
        (pointer_to("s3://outputs/payloads/1"), {"content": {}}, "send the task anew"),
        (body_of(OWL), {"content": "x" * 300_000}, "would be over"),
        ("no JSON", {"metadata": {"id": "a"}}, "content is missing (the message is no JSON: edit"),
    ],
)
async def test_an_edit_that_makes_no_task_leaves_the_letter(
    world: World, client: httpx.AsyncClient, body: Any, edit: Mapping[str, Any], why: str
) -> None:
    queue = world.queues["sdruntime"]
    letter = await refused(queue, body)
    refusal = await ask(client, "/sdruntime/redrive", 422, ids=[letter], edit=edit)

    assert refusal["errors"][0]["field"] == "edit"
    assert why in refusal["errors"][0]["message"]
    assert (await ask(client, f"/sdruntime/{letter}"))["id"] == letter
    assert not await queue.receive(1)


async def test_what_no_runtime_took_is_handed_to_one(
    world: World, client: httpx.AsyncClient
) -> None:
    await world.unrouted.send(json.dumps(body_of(OWL)), {"runtime": "paintr", "submission": "s1"})
    letter = world.unrouted.messages[0].id
    refusal = await ask(client, "/tasks-unrouted/redrive", 422, ids=[letter])
    await ask(client, "/tasks-unrouted/redrive", ids=[letter], to="SDruntime")

    assert refusal["errors"] == [
        {"field": "to", "message": "is needed: these letters came from no queue"}
    ]
    assert len(await world.queues["sdruntime"].receive(10)) == 1
    assert not world.unrouted.messages


async def test_a_call_is_made_once_more(world: World, client: httpx.AsyncClient) -> None:
    call = {"id": "owl", "submission": "s1", "event": "completed", "url": "https://me/?key=7"}
    letter = await refused(world.calls, call, "it answered 500")
    view = await ask(client, f"/results-callbacks/{letter}")
    await ask(client, "/results-callbacks/redrive", ids=[letter])

    assert (view["task"], view["submission"]) == ("owl", "s1")
    assert "key=7" not in view["body"]
    (sent,) = await world.calls.receive(1)
    assert json.loads(sent.body) == call
    assert sent.attributes == {}


async def test_letters_are_deleted_one_some_or_all(world: World, client: httpx.AsyncClient) -> None:
    queue = world.queues["sdruntime"]
    made = [await refused(queue, str(n)) for n in range(15)]
    world.wall.now = queue.letters.messages[-1].sent
    done = await ask(client, "/sdruntime/purge", ids=made[:2])
    rest = await ask(client, "/sdruntime/purge", all=True)

    assert [each["outcome"] for each in done["outcomes"]] == ["deleted"] * 2
    assert len(rest["outcomes"]) == 13
    assert not queue.letters.messages
    assert not await queue.receive(10)


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/sdruntime/purge", {"ids": []}, 422, "ids"),
        ("/sdruntime/purge", {"ids": [UNKNOWN], "all": True}, 422, "ids"),
        ("/sdruntime/purge", {"ids": [UNKNOWN] * 101}, 422, "ids"),
        ("/sdruntime/purge", {"ids": ["a/b"]}, 422, "ids[0]"),
        ("/sdruntime/purge", {"al": True}, 422, "al"),
        ("/sdruntime/redrive", {"all": True, "edit": {}}, 422, "edit"),
        ("/sdruntime/redrive", {"all": True, "to": "paintr"}, 422, "to"),
        ("/results-callbacks/redrive", {"all": True, "to": "sdruntime"}, 422, "to"),
        ("/results-callbacks/redrive", {"all": True, "anew": True}, 422, "anew"),
        ("/results-callbacks/redrive", {"ids": [UNKNOWN], "edit": {}}, 422, "edit"),
        ("/paintr/purge", {"all": True}, 404, None),
        ("/paintr/" + UNKNOWN, {}, 404, None),
        ("/sdruntime/" + UNKNOWN, {}, 404, None),
        ("?queue=paintr", {}, 422, "queue"),
        ("?limit=101", {}, 422, "limit"),
    ],
)
async def test_what_is_wrong_is_named(
    client: httpx.AsyncClient, path: str, body: Mapping[str, Any], status: int, field: str | None
) -> None:
    refusal = await ask(client, path, status, **body)

    fields = [error["field"] for error in refusal["errors"]]
    assert fields == ([] if field is None else [field])


@pytest.mark.parametrize("path", ["redrive", "purge"])
async def test_what_acts_on_letters_is_no_letter(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"/v1/dead-letters/sdruntime/{path}")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", f"/sdruntime/{UNKNOWN}"),
        ("POST", "/sdruntime/redrive"),
        ("POST", "/sdruntime/purge"),
    ],
)
async def test_they_are_for_operators(
    world: World, client: httpx.AsyncClient, method: str, path: str
) -> None:
    await refused(world.queues["sdruntime"], "no JSON")
    answer = await client.request(
        method,
        f"/v1/dead-letters{path}",
        json={"all": True} if method == "POST" else None,
        headers={"x-api-key": OTHER_KEY},
    )

    assert problem(answer)[:2] == (403, "forbidden")
    assert "this needs operator" in answer.json()["detail"]
    assert len(world.queues["sdruntime"].letters.messages) == 1
