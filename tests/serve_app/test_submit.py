"""Submissions are noted and published; one that cannot be leaves nothing behind."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from typing_extensions import override

from ingest.memory import MemoryLedger, MemoryObjects, MemoryTopic
from models.errors import Unavailable
from models.ledger import UNPUBLISHED_SECONDS
from models.report import Report, Status
from models.task import Task
from models.wire import LARGEST, Message, pointed_uri, task_of
from serve_app.submit import Submit, mint
from tests.clock import Clock


class ClosedTopic(MemoryTopic):
    @override
    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        raise Unavailable


class DeadlyTopic(MemoryTopic):
    """Topic by which its sender is killed before it can clean up."""

    @override
    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        raise asyncio.CancelledError


class ClosedObjects(MemoryObjects):
    @override
    async def put(self, uri: str, body: bytes, content_type: str) -> None:
        raise Unavailable

    @override
    async def delete(self, uri: str) -> None:
        raise Unavailable


class ClosedLedger(MemoryLedger):
    @override
    async def queue(self, task: Task, key: str | None = None, *, published: bool = True) -> Report:
        raise Unavailable

    @override
    async def withdraw(self, id: str, submission: str) -> None:
        raise Unavailable


@dataclass
class World:
    topic: MemoryTopic = field(default_factory=MemoryTopic)
    objects: MemoryObjects = field(default_factory=MemoryObjects)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)

    async def submit(self, message: Message) -> Task:
        numbers = iter(["s-1", "s-2"])
        submit = Submit(
            topic=self.topic,
            objects=self.objects,
            ledger=self.ledger,
            bucket="outputs",
            mint=lambda: next(numbers),
        )
        task = task_of(message.body, runtime="studio", submission=submit.mint())
        await submit(task, message.sent_as(task.submission))
        return task


def message(content: Any = "an owl") -> Message:
    metadata = {"id": "owl", "runtime": "Studio", "tasktype": "text-to-image", "prefix": "birds"}
    return Message(
        body={"metadata": metadata, "content": content}, attributes={"runtime": "studio"}
    )


def sized(size: int) -> Message:
    """Make a message of exactly so many bytes, its attributes included."""
    spare = size - message("").sent_as("s-1").size
    return message("x" * spare)


async def test_a_submission_is_published_under_its_identity() -> None:
    world = World()

    task = await world.submit(message())

    [published] = world.topic.published
    assert json.loads(published.message) == message().body
    assert published.attributes == {"runtime": "studio", "submission": "s-1"}
    assert (task.id, task.runtime, task.submission) == ("owl", "studio", "s-1")


async def test_a_submission_is_noted_as_queued() -> None:
    world = World()

    await world.submit(message())

    report = await world.ledger.find("owl", "s-1")
    assert report
    assert report.status is Status.QUEUED


def test_every_submission_has_an_identity_of_its_own() -> None:
    assert mint() != mint()
    assert len(mint()) == 32


async def test_a_message_that_just_fits_travels_as_it_is() -> None:
    world = World()

    await world.submit(sized(LARGEST))

    assert json.loads(world.topic.published[0].message)["metadata"]["id"] == "owl"
    assert world.objects.bodies == {}


async def test_a_message_over_the_limit_travels_as_a_pointer() -> None:
    world = World()

    await world.submit(sized(LARGEST + 1))

    [published] = world.topic.published
    uri = pointed_uri(json.loads(published.message))
    assert uri == "s3://outputs/payloads/s-1.json"
    assert json.loads(world.objects.bodies[uri]) == sized(LARGEST + 1).body
    assert published.attributes["runtime"] == "studio"
    assert published.attributes["submission"] == "s-1"


async def test_a_silent_ledger_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    world = World(ledger=ClosedLedger())

    await world.submit(message())

    assert len(world.topic.published) == 1
    assert set(caplog.messages) == {"submission_not_noted"}


@pytest.mark.parametrize("size", [1000, LARGEST + 1])
async def test_what_was_not_published_is_withdrawn(size: int) -> None:
    world = World(topic=ClosedTopic())

    with pytest.raises(Unavailable):
        await world.submit(sized(size))

    assert await world.ledger.find("owl") is None
    assert world.objects.bodies == {}


async def test_what_a_killed_sender_noted_and_did_not_publish_is_forgotten() -> None:
    clock = Clock()
    world = World(topic=DeadlyTopic(), ledger=MemoryLedger(clock))

    with pytest.raises(asyncio.CancelledError):
        await world.submit(message())

    assert await world.ledger.waiting("studio", 10) == []
    assert await world.ledger.find("owl") is not None
    clock.now += UNPUBLISHED_SECONDS
    assert await world.ledger.find("owl") is None


async def test_what_was_published_stays_known() -> None:
    clock = Clock()
    world = World(ledger=MemoryLedger(clock))
    await world.submit(message())
    clock.now += UNPUBLISHED_SECONDS

    assert await world.ledger.find("owl") is not None
    assert len(await world.ledger.waiting("studio", 10)) == 1


async def test_what_was_not_stored_is_not_published() -> None:
    world = World(objects=ClosedObjects())

    with pytest.raises(Unavailable):
        await world.submit(sized(LARGEST + 1))

    assert world.topic.published == []
    assert await world.ledger.find("owl") is None


async def test_nothing_answers(caplog: pytest.LogCaptureFixture) -> None:
    world = World(topic=ClosedTopic(), objects=ClosedObjects(), ledger=ClosedLedger())

    with pytest.raises(Unavailable):
        await world.submit(message())

    assert caplog.messages == ["submission_not_noted", "submission_not_withdrawn"]
