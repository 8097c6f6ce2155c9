"""Callbacks in trouble: parts break or are away, the sender ends, and no call is lost."""

import asyncio
import json
from collections.abc import Mapping, Sequence

import pytest

from ingest.callbacks import Post
from ingest.memory import MemoryLedger, MemoryQueue
from models.errors import Unavailable
from models.ports import Delivery
from models.task import Call
from tests.ingest.callback_server import serving
from tests.ingest.callback_world import World, outcome
from tests.ingest.world import until


async def test_a_call_cut_off_by_a_crash_is_made_again_under_the_same_name() -> None:
    late = asyncio.Event()
    async with serving(late, 200) as server:
        world = World(server)
        await world.end(server.url)
        async with world.working() as work:
            await until(lambda: bool(server.calls))
            work.cancel()
            await asyncio.wait([work])
        late.set()

        await world.settled()

    first, second = server.calls
    assert first.name == second.name
    assert first.body == second.body


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
    async with serving() as server:
        world = World(server)
        await world.queue.send(body)
        await world.end(server.url)

        await world.settled()

    assert world.given_up == ["the message asks for no call"]
    assert len(server.calls) == 1


class Buggy(Post):
    """Port that breaks once with an error that no port should raise."""

    broken = False
    calls = 0

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        if not self.broken:
            self.broken = True
            raise KeyError("a bug")
        self.calls += 1
        return 200


async def test_a_call_that_breaks_the_sender_does_not_stop_it() -> None:
    post = Buggy()
    world = World(post=post, queue=MemoryQueue(visibility=0.2))
    await world.end("https://a.test/", submission="s1")
    await world.end("https://a.test/", submission="s2")

    await world.settled()  # the first comes back when its lease ends

    assert post.calls == 2


class AwayLedger(MemoryLedger):
    """Ledger that does not take the first note."""

    notes = 0

    async def add_call(self, id: str, submission: str, call: Call) -> Sequence[Call]:  # noqa: A002
        self.notes += 1
        if self.notes == 1:
            raise Unavailable("the ledger is down")
        return await super().add_call(id, submission, call)


async def test_a_call_that_could_not_be_noted_at_once_is_noted_later_and_made_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as server:
        world = World(server, ledger=AwayLedger(), queue=MemoryQueue(visibility=0.2))
        await world.end(server.url)

        calls = await world.settled()

    assert [call.name for call in server.calls] == [server.calls[0].name]
    assert outcome(calls) == [("completed", 200, None)]
    assert "platform_unavailable" in caplog.messages


class AwayQueue(MemoryQueue):
    """Queue that does not answer at first."""

    receives = 0

    async def receive(self, most: int) -> Sequence[Delivery]:
        self.receives += 1
        if self.receives == 1:
            raise Unavailable("the queue is down")
        return await super().receive(most)


async def test_a_queue_that_is_away_is_asked_again() -> None:
    async with serving() as server:
        world = World(server, queue=AwayQueue())
        await world.end(server.url)

        await world.settled()

    assert len(server.calls) == 1


async def test_a_drain_brings_what_is_called_to_its_end() -> None:
    late = asyncio.Event()
    async with serving(late) as server:
        world = World(server)
        await world.end(server.url)
        async with world.working() as work:
            await until(lambda: bool(server.calls))
            world.sender.drain()
            late.set()
            await asyncio.wait([work], timeout=5)

    assert work.done()
    assert world.queue.depth == 0


async def test_what_arrives_while_draining_is_handed_back() -> None:
    async with serving() as server:
        world = World(server, queue=MemoryQueue(wait=2))
        async with world.working() as work:
            await asyncio.sleep(0.05)  # now it polls
            world.sender.drain()
            await world.end(server.url)
            await asyncio.wait([work], timeout=5)

    assert not server.calls
    assert len(await world.queue.receive(10)) == 1


class Strict(MemoryQueue):
    """Queue that checks how many messages it is asked for."""

    async def receive(self, most: int) -> Sequence[Delivery]:
        assert 1 <= most <= 10
        return await super().receive(most)


async def test_a_full_sender_leaves_the_rest_to_others_and_can_be_drained() -> None:
    late = asyncio.Event()
    async with serving(late) as one, serving(late) as two:
        world = World(one, two, queue=Strict())
        for number in range(30):
            await world.end((one, two)[number % 2].url, submission=f"s{number}")
        async with world.working() as work:
            await until(lambda: len(one.calls) + len(two.calls) == 20)
            left = await world.queue.receive(10)
            assert not work.done()
            world.sender.drain()
            late.set()
            await asyncio.wait([work], timeout=5)

    assert left
    assert len(one.calls) + len(two.calls) == 20
