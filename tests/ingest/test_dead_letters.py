"""Work on dead letters is bounded, and what it holds is given back whatever happens."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from typing_extensions import override

from ingest.dead_letters import Choice, DeadLetters
from ingest.letter import Letter
from ingest.letter_visit import MOST
from ingest.memory import MemoryLedger, MemoryQueue, MemoryTopic
from models.errors import Unavailable
from models.ports import Delivery
from models.report import Status
from models.settings.groups import Tasks
from tests.clock import Clock
from tests.dead_letters import dead_letters
from tests.ingest.world import World, message, until

ALL = Choice(before=4e9)


class AwayTopic(MemoryTopic):
    """Topic that takes two messages, and then none."""

    @override
    async def publish(self, message: str, attributes: object) -> None:
        if len(self.published) == 2:
            raise Unavailable
        await super().publish(message, {})


class SlowQueue(MemoryQueue):
    """Queue whose every receive takes three seconds."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(wait=0)
        self.slow = clock

    @override
    async def receive(self, most: int) -> Sequence[Delivery]:
        self.slow.now += 3
        return await super().receive(most)


def letters_of(queue: MemoryQueue) -> DeadLetters:
    return dead_letters({"sdruntime": queue}, MemoryQueue(), MemoryQueue(), MemoryLedger())


async def queue_with(count: int) -> MemoryQueue:
    queue = MemoryQueue(wait=0)
    for n in range(count):
        await queue.letters.send(str(n), {"submission": str(n)})
    return queue


async def test_of_many_letters_a_bounded_number_is_looked_at() -> None:
    queue = await queue_with(MOST + 15)
    letters = letters_of(queue)
    look = await letters.look([letters.queues["sdruntime"]], 20, None)

    assert not look.complete
    assert len(look.letters) == 20
    assert await queue.letters.backlog() == MOST + 15


async def test_a_long_redrive_is_cut_and_goes_on() -> None:
    queue = await queue_with(MOST + 15)
    letters = letters_of(queue)
    of, to = letters.queues["sdruntime"], letters.sources["sdruntime"]
    first = await letters.redrive(of, ALL, to)
    second = await letters.redrive(of, ALL, to)

    assert (len(first.outcomes), first.more) == (MOST, True)
    assert (len(second.outcomes), second.more) == (15, False)
    assert queue.depth == MOST + 15


async def test_no_call_is_begun_after_its_time() -> None:
    clock = Clock()
    queue = SlowQueue(clock)
    for n in range(100):
        await queue.send(str(n))
    letters = replace(letters_of(MemoryQueue()), clock=clock)
    done = await letters.purge(replace(letters.queues["sdruntime"], letters=queue), ALL)

    assert (len(done.outcomes), done.more) == (40, True)


async def test_where_the_queue_is_away_the_rest_stays_visible() -> None:
    queue = await queue_with(5)
    letters = letters_of(queue)
    with pytest.raises(Unavailable):
        await letters.redrive(letters.queues["sdruntime"], ALL, AwayTopic())

    assert await queue.letters.backlog() == 3


async def test_what_came_by_sns_keeps_its_envelope() -> None:
    queue = MemoryQueue(wait=0)
    topic = MemoryTopic()
    topic.subscribe(queue)
    await topic.publish(json.dumps(message()), {"runtime": "sdruntime", "submission": "s1"})
    (delivery,) = await queue.receive(1)
    await queue.reject(delivery, "no")
    (dead,) = await queue.letters.receive(1)
    letter = Letter.of(letters_of(queue).queues["sdruntime"], dead)

    assert letter.message() == (delivery.body, {})
    assert json.loads(letter.text) == message()
    assert (letter.submission, letter.task) == ("s1", "a")


async def test_what_was_received_too_often_is_drawn_after_a_redrive() -> None:
    world = World(Tasks(leaseSeconds=3))
    world.queue.max_receives = 2
    await world.publish()
    await world.redeliver(2)
    assert await world.queue.backlog() == 0
    letters = dead_letters({"sdruntime": world.queue}, MemoryQueue(), MemoryQueue(), world.ledger)
    of = letters.queues["sdruntime"]
    look = await letters.look([of], 1, None)
    done = await letters.redrive(of, ALL, letters.sources["sdruntime"])
    async with world.working():
        await until(lambda: world.queue.depth == 0)

    assert [each.reason for each in look.letters] == ["received too often"]
    assert [each.report for each in done.outcomes] == [None]
    report = await world.ledger.find("a", "s1")
    assert report
    assert (report.status, report.attempt) == (Status.COMPLETED, 1)
    assert world.runtime.runs == 1


async def test_a_letter_that_was_sent_twice_by_a_crash_is_drawn_once() -> None:
    world = World(Tasks(leaseSeconds=3))
    await world.publish()
    (delivery,) = await world.queue.receive(1)
    await world.queue.reject(delivery, "no")
    letters = dead_letters({"sdruntime": world.queue}, MemoryQueue(), MemoryQueue(), world.ledger)
    copy = world.queue.letters.messages[0]
    for _ in range(2):
        await letters.redrive(letters.queues["sdruntime"], ALL, letters.sources["sdruntime"])
        world.queue.letters.keep(copy)
    async with world.working():
        await until(lambda: world.queue.depth == 0)

    assert world.runtime.runs == 1
    assert len(world.results.published) == 1
