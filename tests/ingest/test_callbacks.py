"""Callbacks: called, signed, noted and called again, by real servers' answers."""

import asyncio
import base64
import json
import logging
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ingest.memory import MemoryQueue
from models.report import Status
from models.task import ENDS
from tests.ingest.callback_server import LEAK, SECRET, serving
from tests.ingest.callback_world import World, outcome
from tests.ingest.world import until
from tests.serving import served

OTHER = "whsec_" + base64.b64encode(b"another secret, thirty-two bytes").decode()


async def test_an_end_is_told_signed_and_noted_on_the_task() -> None:
    async with serving() as server:
        world = World(server)
        await world.end(server.url)

        calls = await world.settled()

    (call,) = server.calls
    assert call.payload["type"] == "task.completed"
    assert datetime.fromisoformat(call.payload["timestamp"]).tzinfo is not None
    assert call.payload["data"] == json.loads(world.results.published[-1].message)
    assert call.headers["content-type"] == "application/json"
    assert call.headers["user-agent"] == "atelier"
    assert outcome(calls) == [("completed", 200, None)]
    assert not world.given_up


async def test_only_the_events_that_are_wanted_are_told() -> None:
    async with serving() as server:
        world = World(server)
        await world.end(server.url, submission="s1", events=("running",))
        await world.end(server.url, submission="s2", events=("failed",))
        await world.end(server.url, submission="s3", events=("running", *ENDS))

        await world.settled()

    called = {(t.payload["data"]["submission"], t.payload["type"]) for t in server.calls}
    assert called == {("s1", "task.running"), ("s3", "task.running"), ("s3", "task.completed")}
    assert len({t.name for t in server.calls}) == 3


async def test_a_failed_call_is_made_again_under_the_same_name() -> None:
    async with serving(500, 429, 204) as server:
        world = World(server)
        await world.end(server.url)

        calls = await world.settled()

    assert len({(call.name, call.body) for call in server.calls}) == 1
    assert outcome(calls) == [
        ("completed", 500, "it answered 500"),
        ("completed", 429, "it answered 429"),
        ("completed", 204, None),
    ]
    assert not world.given_up


async def test_after_its_last_try_a_call_is_given_up() -> None:
    async with serving(503) as server:
        world = World(server)
        await world.end(server.url)

        calls = await world.settled()

    assert [call.status for call in calls] == [503] * 4
    assert world.given_up == ["it answered 503"]


async def test_each_event_has_its_own_tries() -> None:
    async with serving(500) as server:
        world = World(server)
        await world.end(server.url, events=("running", "completed"))

        calls = await world.settled()

    events = [call.event for call in calls]
    assert (events.count("running"), events.count("completed")) == (4, 4)


async def test_between_two_tries_it_waits_in_the_queue() -> None:
    now = 0.0
    queue = MemoryQueue(clock=lambda: now)
    async with serving(500, 200) as server:
        world = World(server, queue=queue, retrySeconds=(60,))
        await world.end(server.url)

        (delivery,) = await queue.receive(1)
        await world.sender.handle(delivery)
        now = 59
        early = await queue.receive(1)
        now = 60
        (again,) = await queue.receive(1)
        await world.sender.handle(again)

    assert not early
    assert queue.depth == 0
    assert [call.status for call in await world.noted()] == [500, 200]


async def test_a_server_that_is_not_there_is_tried_again() -> None:
    async with serving() as server:
        pass
    world = World(server)
    await world.end(server.url)

    calls = await world.settled()

    assert len(calls) == 4
    assert {call.status for call in calls} == {None}
    assert all("could not be connected to" in str(call.error) for call in calls)


async def test_a_server_that_takes_too_long_is_tried_again() -> None:
    late = asyncio.Event()
    async with serving(late, 200) as server:
        world = World(server, timeoutSeconds=0.5)
        await world.end(server.url)

        calls = await world.settled()
        late.set()

    assert outcome(calls) == [
        ("completed", None, "it took over 0.5 s"),
        ("completed", 200, None),
    ]


async def test_a_server_that_is_gone_is_called_once() -> None:
    async with serving(410) as server:
        world = World(server)
        await world.end(server.url)

        calls = await world.settled()

    assert outcome(calls) == [("completed", 410, "it answered 410")]
    assert world.given_up == ["it answered 410"]


async def test_a_redirect_is_a_failure_and_not_followed() -> None:
    async with serving(307) as server:
        world = World(server, retrySeconds=())
        await world.end(server.url)

        calls = await world.settled()

    error = "it answered 307; redirects are not followed"
    assert outcome(calls) == [("completed", 307, error)]
    assert [call.path for call in server.calls] == ["/hook"]


async def test_a_private_address_is_refused_once_and_the_task_says_so() -> None:
    async with serving() as server:
        world = World()  # nobody is allowed by name
        await world.end(server.url)

        (call,) = await world.settled()

    assert call.status is None
    assert call.error is not None
    assert call.error.startswith("refused: its host 127.0.0.1 resolves to a private address")
    assert world.given_up == [call.error]
    assert not server.calls


async def test_servers_that_hang_leave_room_for_others() -> None:
    late, now = asyncio.Event(), 0
    async with serving(late) as hanging, serving() as quick:
        world = World(hanging, quick, queue=MemoryQueue(clock=lambda: now))
        for number in range(25):  # more than a sender's calls at once
            await world.end(hanging.url, submission=f"h{number}")
        await world.end(quick.url, submission="q")

        async with world.working():
            await until(lambda: bool(quick.calls) and len(hanging.calls) >= 10)
            hung = len(hanging.calls)
            late.set()
            await until(lambda: world.queue.depth <= 15)
            now = 2  # seconds until the rest asks again; who finds no room then, after 4 more
            await until(lambda: world.queue.depth <= 5)
            now = 6
            await until(lambda: world.queue.depth == 0)

    assert hung == 10
    assert len(hanging.calls) == 25


async def test_a_call_may_take_longer_than_its_lease() -> None:
    late = asyncio.Event()
    async with serving(late) as server:
        world = World(server, queue=MemoryQueue(visibility=1))
        await world.end(server.url)
        async with world.working():
            await until(lambda: bool(server.calls))
            await asyncio.sleep(1.5)
            late.set()
            await until(lambda: world.queue.depth == 0)

    assert len(server.calls) == 1


async def test_without_a_secret_nobody_is_called() -> None:
    async with serving() as server:
        world = World(server, secret=lambda _: None)
        await world.end(server.url)

        calls = await world.settled()

    error = "refused: there is no secret to sign it with; set callbacks.secret"
    assert outcome(calls) == [("completed", None, error)]
    assert world.given_up == [error]
    assert not server.calls


async def test_the_secret_of_its_api_key_signs() -> None:
    secrets = {None: SecretStr(SECRET), "press": SecretStr(OTHER)}
    async with serving() as everybody, serving(secret=OTHER) as press:
        world = World(everybody, press, secret=secrets.get)
        await world.end(everybody.url, submission="s1")
        await world.end(press.url, submission="s2", key="press")

        await world.settled()

    assert (len(everybody.calls), len(press.calls)) == (1, 1)  # each verified with its own secret


async def test_where_a_copy_of_the_call_succeeded_no_other_try_is_made() -> None:
    async with serving(200, 500) as server:
        world = World(server)
        await world.end(server.url)
        await world.settled()
        report = await world.ledger.find("owl")
        assert report is not None
        await world.notifier.notify(report, {"order": 7})

        calls = await world.settled()

    assert [call.status for call in calls] == [200, 500]
    assert server.calls[0].name == server.calls[1].name
    assert not world.given_up


async def test_no_log_and_no_note_holds_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(500) as server:
        world = World(server, retrySeconds=(0,))
        await world.end(f"{server.url}?token=hidden")
        await world.end(f"http://me:hidden@{server.host}/", submission="s2")
        calls = await world.settled()

    logged = "".join(f"{vars(record)}" for record in caplog.records)
    assert "callback_given_up" in logged
    for text in (logged, str(calls), str(world.given_up)):
        assert "hidden" not in text
        assert SECRET not in text
        assert LEAK not in text


async def test_a_status_event_has_no_result_yet() -> None:
    async with serving() as server:
        world = World(server)
        report = await world.start(server.url, events=("running",))

        await world.settled()

    assert report.status is Status.RUNNING
    assert "result" not in server.calls[0].payload["data"]


async def test_the_server_in_the_documentation_takes_a_call_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CALLBACK_SECRET", SECRET)
    page = Path(__file__).parents[2] / "docs" / "callbacks.md"
    example: dict[str, Any] = {}
    exec(page.read_text().split("```python\n")[1].split("```")[0], example)
    async with served(example["app"]) as url:
        world = World(allow=[url.removeprefix("http://")])
        await world.end(f"{url}/pictures")
        await world.settled()
        await world.end(f"{url}/pictures", submission="s2")
        world.secret = lambda _: SecretStr(OTHER)
        calls = await world.settled()

    (payload,) = example["told"].values()
    assert payload["type"] == "task.completed"
    assert {call.status for call in calls} == {400}
