"""Callbacks are called, signed, noted and called again; the receivers are real servers."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ingest.courier import Courier, Post
from ingest.memory import MemoryLedger, MemoryQueue, MemoryTopic
from ingest.tell import Tell
from models.callback import ENDS, Call, Callback
from models.errors import Unavailable
from models.parts import Callbacks
from models.ports import Delivery
from models.report import Report, Status
from models.task import Task
from serve_app.webhook import WebPost
from tests.ingest.receiver import LEAK, SECRET, Receiver, serving
from tests.ingest.world import until
from tests.serving import served

Secret = Callable[[str | None], SecretStr | None]
OTHER = "whsec_" + base64.b64encode(b"another secret, thirty-two bytes").decode()
AT_ONCE = {"retrySeconds": (0, 0, 0)}


class World:
    """Memory ports around couriers that may call the receivers it is given."""

    def __init__(
        self,
        *receivers: Receiver,
        secret: Secret = lambda _: SecretStr(SECRET),
        queue: MemoryQueue | None = None,
        ledger: MemoryLedger | None = None,
        post: Post | None = None,
        allow: Sequence[str] = (),
        **rules: Any,
    ) -> None:
        self.queue = queue or MemoryQueue()
        self.ledger = ledger or MemoryLedger()
        self.post = post or WebPost([*allow, *(receiver.host for receiver in receivers)])
        self.secret = secret
        self.rules = Callbacks.model_validate(AT_ONCE | rules)
        self.results, calls = MemoryTopic(), MemoryTopic()
        calls.subscribe(self.queue, raw=True)
        self.tell = Tell(results=self.results, callbacks=calls)
        self.courier = self.new()

    def new(self) -> Courier:
        return Courier(
            queue=self.queue,
            ledger=self.ledger,
            post=self.post,
            secret=self.secret,
            rules=self.rules,
            lease_seconds=1,
            capacity=20,
        )

    @asynccontextmanager
    async def working(self) -> AsyncIterator[asyncio.Task[None]]:
        self.courier = self.new()
        work = asyncio.create_task(self.courier.work())
        await asyncio.sleep(0)
        try:
            yield work
        finally:
            self.courier.drain()
            await asyncio.wait([work], timeout=5)
            work.cancel()

    async def start(
        self, url: str, *, key: str | None = None, submission: str = "s1", **wanted: Any
    ) -> Report:
        """A task that runs, and whose callback was told of it."""
        callback = Callback(url=url, **wanted)
        task = Task(
            submission=submission,
            id="owl",
            runtime="studio",
            kind="text-to-image",
            callback=callback,
            context={"order": 7},
        )
        await self.ledger.queue(task, key)
        report = await self.ledger.start(task)
        await self.tell(report, task.context)
        return report

    async def end(self, url: str, **options: Any) -> None:
        """A task that is completed, and whose callback was told of it."""
        running = await self.start(url, **options)
        done = running.completed(("s3://outputs/owl-1.png",), "s3://outputs/owl.out", {"run": 1.0})
        await self.tell(await self.ledger.finish(done), {"order": 7})

    async def settled(self) -> Sequence[Call]:
        """The calls noted on the task, when none is wanted any more."""
        async with self.working():
            await until(lambda: self.queue.depth == 0)
        return await self.noted()

    async def noted(self) -> Sequence[Call]:
        report = await self.ledger.find("owl")
        assert report is not None
        return report.calls

    @property
    def given_up(self) -> Sequence[str]:
        return [letter.reason for letter in self.queue.dead_letters]


def outcome(calls: Sequence[Call]) -> Sequence[tuple[str, int | None, str | None]]:
    return [(call.event, call.status, call.error) for call in calls]


async def test_an_end_is_told_signed_and_noted_on_the_task() -> None:
    async with serving() as receiver:
        world = World(receiver)
        await world.end(receiver.url)

        calls = await world.settled()

    (told,) = receiver.told
    assert told.payload["type"] == "task.completed"
    assert datetime.fromisoformat(told.payload["timestamp"]).tzinfo is not None
    assert told.payload["data"] == json.loads(world.results.published[-1].message)
    assert told.headers["content-type"] == "application/json"
    assert told.headers["user-agent"] == "atelier"
    assert outcome(calls) == [("completed", 200, None)]
    assert not world.given_up


async def test_only_the_events_that_are_wanted_are_told() -> None:
    async with serving() as receiver:
        world = World(receiver)
        await world.end(receiver.url, submission="s1", events=("running",))
        await world.end(receiver.url, submission="s2", events=("failed",))
        await world.end(receiver.url, submission="s3", events=("running", *ENDS))

        await world.settled()

    told = {(t.payload["data"]["submission"], t.payload["type"]) for t in receiver.told}
    assert told == {("s1", "task.running"), ("s3", "task.running"), ("s3", "task.completed")}
    assert len({t.name for t in receiver.told}) == 3


async def test_a_failed_call_is_made_again_under_the_same_name() -> None:
    async with serving(500, 429, 204) as receiver:
        world = World(receiver)
        await world.end(receiver.url)

        calls = await world.settled()

    assert len({(told.name, told.body) for told in receiver.told}) == 1
    assert outcome(calls) == [
        ("completed", 500, "it answered 500"),
        ("completed", 429, "it answered 429"),
        ("completed", 204, None),
    ]
    assert not world.given_up


async def test_after_its_last_try_a_call_is_given_up() -> None:
    async with serving(503) as receiver:
        world = World(receiver)
        await world.end(receiver.url)

        calls = await world.settled()

    assert [call.status for call in calls] == [503] * 4
    assert world.given_up == ["it answered 503"]


async def test_each_event_has_its_own_tries() -> None:
    async with serving(500) as receiver:
        world = World(receiver)
        await world.end(receiver.url, events=("running", "completed"))

        calls = await world.settled()

    events = [call.event for call in calls]
    assert (events.count("running"), events.count("completed")) == (4, 4)


async def test_between_two_tries_it_waits_in_the_queue() -> None:
    now = 0.0
    queue = MemoryQueue(clock=lambda: now)
    async with serving(500, 200) as receiver:
        world = World(receiver, queue=queue, retrySeconds=(60,))
        await world.end(receiver.url)

        (delivery,) = await queue.receive(1)
        await world.courier.handle(delivery)
        now = 59
        early = await queue.receive(1)
        now = 60
        (again,) = await queue.receive(1)
        await world.courier.handle(again)

    assert not early
    assert queue.depth == 0
    assert [call.status for call in await world.noted()] == [500, 200]


async def test_a_receiver_that_is_not_there_is_tried_again() -> None:
    async with serving() as receiver:
        pass
    world = World(receiver)
    await world.end(receiver.url)

    calls = await world.settled()

    assert len(calls) == 4
    assert {call.status for call in calls} == {None}
    assert all("could not be connected to" in str(call.error) for call in calls)


async def test_a_receiver_that_takes_too_long_is_tried_again() -> None:
    late = asyncio.Event()
    async with serving(late, 200) as receiver:
        world = World(receiver, timeoutSeconds=0.5)
        await world.end(receiver.url)

        calls = await world.settled()
        late.set()

    assert outcome(calls) == [
        ("completed", None, "it took over 0.5 s"),
        ("completed", 200, None),
    ]


async def test_a_receiver_that_is_gone_is_called_once() -> None:
    async with serving(410) as receiver:
        world = World(receiver)
        await world.end(receiver.url)

        calls = await world.settled()

    assert outcome(calls) == [("completed", 410, "it answered 410")]
    assert world.given_up == ["it answered 410"]


async def test_a_redirect_is_a_failure_and_not_followed() -> None:
    async with serving(307) as receiver:
        world = World(receiver, retrySeconds=())
        await world.end(receiver.url)

        calls = await world.settled()

    said = "it answered 307; redirects are not followed"
    assert outcome(calls) == [("completed", 307, said)]
    assert [told.path for told in receiver.told] == ["/hook"]


async def test_a_private_address_is_refused_once_and_the_task_says_so() -> None:
    async with serving() as receiver:
        world = World()  # nobody is allowed by name
        await world.end(receiver.url)

        (call,) = await world.settled()

    assert call.status is None
    assert call.error is not None
    assert call.error.startswith("refused: its host 127.0.0.1 resolves to a loopback address")
    assert world.given_up == [call.error]
    assert not receiver.told


async def test_receivers_that_hang_leave_room_for_others() -> None:
    late, now = asyncio.Event(), 0
    async with serving(late) as hanging, serving() as quick:
        world = World(hanging, quick, queue=MemoryQueue(clock=lambda: now))
        for number in range(25):  # more than a courier's calls at once
            await world.end(hanging.url, submission=f"h{number}")
        await world.end(quick.url, submission="q")

        async with world.working():
            await until(lambda: bool(quick.told) and len(hanging.told) >= 10)
            hung = len(hanging.told)
            late.set()
            await until(lambda: world.queue.depth <= 15)
            now = 2  # seconds until the rest asks again; who finds no room then, after 4 more
            await until(lambda: world.queue.depth <= 5)
            now = 6
            await until(lambda: world.queue.depth == 0)

    assert hung == 10
    assert len(hanging.told) == 25


async def test_a_call_cut_off_by_a_crash_is_made_again_under_the_same_name() -> None:
    late = asyncio.Event()
    async with serving(late, 200) as receiver:
        world = World(receiver)
        await world.end(receiver.url)
        async with world.working() as work:
            await until(lambda: bool(receiver.told))
            work.cancel()
            await asyncio.wait([work])
        late.set()

        await world.settled()

    first, second = receiver.told
    assert first.name == second.name
    assert first.body == second.body


async def test_a_call_may_take_longer_than_its_lease() -> None:
    late = asyncio.Event()
    async with serving(late) as receiver:
        world = World(receiver, queue=MemoryQueue(visibility=1))
        await world.end(receiver.url)
        async with world.working():
            await until(lambda: bool(receiver.told))
            await asyncio.sleep(1.5)
            late.set()
            await until(lambda: world.queue.depth == 0)

    assert len(receiver.told) == 1


async def test_without_a_secret_nobody_is_called() -> None:
    async with serving() as receiver:
        world = World(receiver, secret=lambda _: None)
        await world.end(receiver.url)

        calls = await world.settled()

    said = "refused: there is no secret to sign it with; set callbacks.secret"
    assert outcome(calls) == [("completed", None, said)]
    assert world.given_up == [said]
    assert not receiver.told


async def test_the_secret_of_its_api_key_signs() -> None:
    secrets = {None: SecretStr(SECRET), "press": SecretStr(OTHER)}
    async with serving() as everybody, serving(secret=OTHER) as press:
        world = World(everybody, press, secret=secrets.get)
        await world.end(everybody.url, submission="s1")
        await world.end(press.url, submission="s2", key="press")

        await world.settled()

    assert (len(everybody.told), len(press.told)) == (1, 1)  # each verified with its own secret


async def test_where_a_copy_of_the_call_succeeded_no_other_try_is_made() -> None:
    async with serving(200, 500) as receiver:
        world = World(receiver)
        await world.end(receiver.url)
        await world.settled()
        report = await world.ledger.find("owl")
        assert report is not None
        await world.tell(report, {"order": 7})

        calls = await world.settled()

    assert [call.status for call in calls] == [200, 500]
    assert receiver.told[0].name == receiver.told[1].name
    assert not world.given_up


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "null",
        "{}",
        json.dumps({"id": "owl", "submission": "s", "event": "completed", "url": 7}),
        json.dumps(
            {
                "id": "owl",
                "submission": "s",
                "event": "completed",
                "url": "http://127.0.0.1/",
                "key": None,
                "notification": "no JSON",
            }
        ),
    ],
)
async def test_a_message_that_asks_for_no_call_is_rejected_and_the_next_one_made(
    body: str,
) -> None:
    async with serving() as receiver:
        world = World(receiver)
        await world.queue.send(body)
        await world.end(receiver.url)

        await world.settled()

    assert world.given_up == ["the message asks for no call"]
    assert len(receiver.told) == 1


class Buggy(Post):
    """It breaks once, as no port should."""

    broken = False
    calls = 0

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        if not self.broken:
            self.broken = True
            raise KeyError("a bug")
        self.calls += 1
        return 200


async def test_a_call_that_breaks_the_courier_does_not_stop_it() -> None:
    post = Buggy()
    world = World(post=post, queue=MemoryQueue(visibility=0.2))
    await world.end("https://a.test/", submission="s1")
    await world.end("https://a.test/", submission="s2")

    await world.settled()  # the first comes back when its lease ends

    assert post.calls == 2


class AwayLedger(MemoryLedger):
    """A ledger that does not take the first note."""

    notes = 0

    async def note(self, id: str, submission: str, call: Call) -> Sequence[Call]:  # noqa: A002
        self.notes += 1
        if self.notes == 1:
            raise Unavailable("the ledger is down")
        return await super().note(id, submission, call)


async def test_a_call_that_could_not_be_noted_is_made_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as receiver:
        world = World(receiver, ledger=AwayLedger(), queue=MemoryQueue(visibility=0.2))
        await world.end(receiver.url)

        calls = await world.settled()

    assert [told.name for told in receiver.told] == [receiver.told[0].name] * 2
    assert outcome(calls) == [("completed", 200, None)]
    assert "platform_unavailable" in caplog.messages


class AwayQueue(MemoryQueue):
    """A queue that does not answer at first."""

    receives = 0

    async def receive(self, most: int) -> Sequence[Delivery]:
        self.receives += 1
        if self.receives == 1:
            raise Unavailable("the queue is down")
        return await super().receive(most)


async def test_a_queue_that_is_away_is_asked_again() -> None:
    async with serving() as receiver:
        world = World(receiver, queue=AwayQueue())
        await world.end(receiver.url)

        await world.settled()

    assert len(receiver.told) == 1


class Broken(MemoryQueue):
    async def receive(self, most: int) -> Sequence[Delivery]:
        raise ValueError("a bug in the loop")


async def test_a_dead_courier_says_what_ended_it() -> None:
    with pytest.raises(ExceptionGroup) as ended:
        await World(queue=Broken()).courier.work()

    assert ended.group_contains(ValueError, match="a bug in the loop")


async def test_a_drain_brings_what_is_called_to_its_end() -> None:
    late = asyncio.Event()
    async with serving(late) as receiver:
        world = World(receiver)
        await world.end(receiver.url)
        async with world.working() as work:
            await until(lambda: bool(receiver.told))
            world.courier.drain()
            late.set()
            await asyncio.wait([work], timeout=5)

    assert work.done()
    assert world.queue.depth == 0


async def test_what_arrives_while_draining_is_handed_back() -> None:
    async with serving() as receiver:
        world = World(receiver, queue=MemoryQueue(wait=2))
        async with world.working() as work:
            await asyncio.sleep(0.05)  # now it polls
            world.courier.drain()
            await world.end(receiver.url)
            await asyncio.wait([work], timeout=5)

    assert not receiver.told
    assert len(await world.queue.receive(10)) == 1


class Strict(MemoryQueue):
    """A queue that is asked for no more and no less than it may be."""

    async def receive(self, most: int) -> Sequence[Delivery]:
        assert 1 <= most <= 10
        return await super().receive(most)


async def test_a_full_courier_leaves_the_rest_to_others_and_can_be_drained() -> None:
    late = asyncio.Event()
    async with serving(late) as one, serving(late) as two:
        world = World(one, two, queue=Strict())
        for number in range(30):
            await world.end((one, two)[number % 2].url, submission=f"s{number}")
        async with world.working() as work:
            await until(lambda: len(one.told) + len(two.told) == 20)
            left = await world.queue.receive(10)
            assert not work.done()
            world.courier.drain()
            late.set()
            await asyncio.wait([work], timeout=5)

    assert left
    assert len(one.told) + len(two.told) == 20


async def test_no_log_and_no_note_holds_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(500) as receiver:
        world = World(receiver, retrySeconds=(0,))
        await world.end(f"{receiver.url}?token=hidden")
        await world.end(f"http://me:hidden@{receiver.host}/", submission="s2")
        calls = await world.settled()

    logged = "".join(f"{vars(record)}" for record in caplog.records)
    assert "callback_given_up" in logged
    for text in (logged, str(calls), str(world.given_up)):
        assert "hidden" not in text
        assert SECRET not in text
        assert LEAK not in text


async def test_a_status_event_has_no_result_yet() -> None:
    async with serving() as receiver:
        world = World(receiver)
        report = await world.start(receiver.url, events=("running",))

        await world.settled()

    assert report.status is Status.RUNNING
    assert "result" not in receiver.told[0].payload["data"]


async def test_the_receiver_in_the_documentation_takes_a_call_once(
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
