"""Idempotency keys: a task is submitted once, whatever becomes of its first sender."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from typing_extensions import override

from ingest.memory import MemoryClaims, MemoryTopic
from models.errors import Unavailable
from models.ports import Claim
from models.report import Status
from tests.serve_app.native.test_submit import asked, problem
from tests.serve_app.world import OTHER_KEY, World, task

KEYED = {"Idempotency-Key": "order-42"}


class GatedTopic(MemoryTopic):
    """Topic that can be closed and opened."""

    open = True

    @override
    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        if not self.open:
            raise Unavailable
        await super().publish(message, attributes)


class ForgetfulClaims(MemoryClaims):
    """Claims that are never settled or abandoned, as if their senders had died."""

    deaf = True

    @override
    async def settle(self, key: str) -> None:
        if self.deaf:
            raise Unavailable
        await super().settle(key)

    @override
    async def abandon(self, key: str) -> None:
        if self.deaf:
            raise Unavailable
        await super().abandon(key)


class Silent(MemoryClaims):
    @override
    async def claim(self, key: str, value: str) -> Claim:
        raise Unavailable


def world_of(claims: MemoryClaims | None = None, topic: MemoryTopic | None = None) -> World:
    return World(topic=topic, claims=claims)


async def send(world: World, *, headers: Mapping[str, str] = KEYED, **more: Any) -> httpx.Response:
    async with world.client() as client:
        return await client.post("/v1/tasks", json=asked(id="owl", **more), headers=dict(headers))


def published(world: World) -> list[str]:
    """List the submissions that were published."""
    return [message.attributes["submission"] for message in world.topic.published]


async def test_the_same_again_is_the_same_task(world: World) -> None:
    first, again = await send(world), await send(world)

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert published(world) == [first.json()["submission"]]


async def test_the_same_again_is_told_as_it_is_now(world: World) -> None:
    first = await send(world)
    await world.complete(task(first.json()["submission"]))

    again = await send(world)

    assert (again.status_code, again.json()["status"]) == (202, "completed")


async def test_who_waits_for_what_ended_before_is_answered_at_once(world: World) -> None:
    first = await send(world)
    await world.complete(task(first.json()["submission"]))
    async with world.client() as client:
        url = "/v1/tasks?wait=60"
        again = await client.post(url, json=asked(id="owl"), headers=KEYED)

    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")


async def test_how_the_body_is_written_does_not_matter(world: World) -> None:
    first = await send(world)
    async with world.client() as client:
        body = '{ "id": "owl", "prefix": "tasks", "content": {"prompt": "a very private owl"},'
        text = body + ' "kind": "text-to-image" }'
        again = await client.post("/v1/tasks", content=text, headers=KEYED)

    assert again.json()["submission"] == first.json()["submission"]


async def test_a_key_without_an_id_gives_the_same_id(world: World) -> None:
    async with world.client() as client:
        views = [
            (await client.post("/v1/tasks", json=asked(), headers=KEYED)).json() for _ in range(2)
        ]

    assert views[0]["id"] == views[1]["id"]


async def test_another_task_needs_another_key(world: World) -> None:
    await send(world)
    other = await send(world, context={"other": 1})

    assert problem(other) == (422, "idempotency-key-reused", ["Idempotency-Key"])
    assert len(published(world)) == 1


async def test_holders_have_keys_of_their_own(world: World) -> None:
    first = await send(world)
    other = await send(world, headers={**KEYED, "x-api-key": OTHER_KEY})

    assert first.json()["submission"] != other.json()["submission"]


@pytest.mark.parametrize("key", ["", " ", "a b", "ü", "x" * 256])
async def test_a_key_is_visible_ascii(world: World, key: str) -> None:
    named = {b"idempotency-key": key.encode()}
    async with world.client() as client:
        answer = await client.post("/v1/tasks", json=asked(), headers=named)

    assert problem(answer) == (422, "invalid-request", ["Idempotency-Key"])


async def test_while_the_first_is_under_way_the_second_is_sent_back() -> None:
    world = world_of(ForgetfulClaims())
    await send(world)
    world.wall.now += 29
    second = await send(world)

    assert problem(second)[:2] == (409, "idempotency-in-progress")
    assert second.headers["retry-after"] == "1"
    assert len(published(world)) == 1


async def test_what_a_dead_sender_began_is_done_as_the_same_submission() -> None:
    claims = ForgetfulClaims()
    world = world_of(claims)
    first = await send(world)
    world.wall.now += 31
    claims.deaf = False
    second = await send(world)
    third = await send(world)

    submission = first.json()["submission"]
    assert (second.status_code, second.json()["submission"]) == (202, submission)
    assert "idempotency-replayed" not in second.headers
    assert third.headers["idempotency-replayed"] == "true"
    assert published(world) == [submission, submission]


async def test_taking_over_does_not_begin_again_what_has_ended() -> None:
    world = world_of(ForgetfulClaims())
    first = await send(world)
    await world.complete(task(first.json()["submission"]))
    world.wall.now += 31
    second = await send(world)

    assert second.json()["status"] == "completed"


async def test_taking_over_in_vain_withdraws_nothing() -> None:
    """A first sender may have published the task before it died."""
    topic, claims = GatedTopic(), ForgetfulClaims()
    world = world_of(claims, topic)
    large = {"init_images": ["A" * 300_000]}
    first = await send(world, content=large)
    world.wall.now += 31
    claims.deaf, topic.open = False, False
    second = await send(world, content=large)
    report, stored = await world.ledger.find("owl"), len(world.objects.bodies)
    topic.open = True
    third = await send(world, content=large)

    assert second.status_code == 503
    assert report
    assert (report.status, stored) == (Status.QUEUED, 1)
    assert third.json()["submission"] == first.json()["submission"]


async def test_what_was_not_published_can_be_sent_again_at_once() -> None:
    topic = GatedTopic()
    world = world_of(topic=topic)
    topic.open = False
    first = await send(world)
    topic.open = True
    again, replay = await send(world), await send(world)

    assert (first.status_code, again.status_code) == (503, 202)
    assert "idempotency-replayed" not in again.headers
    assert replay.headers["idempotency-replayed"] == "true"
    assert published(world) == [again.json()["submission"]]


class MuteTopic(MemoryTopic):
    """Topic that takes each message, and whose first answer is lost."""

    mute = True

    @override
    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        await super().publish(message, attributes)
        if self.mute:
            self.mute = False
            raise Unavailable


@pytest.mark.parametrize("size", [4, 300_000])
async def test_what_was_published_without_an_answer_is_the_same_task_again(size: int) -> None:
    world = world_of(topic=MuteTopic())
    content = {"init_images": ["A" * size]}
    first = await send(world, content=content)
    noted = await world.ledger.find("owl")
    again = await send(world, content=content)

    assert (first.status_code, again.status_code) == (503, 202)
    assert noted
    assert noted.key is not None
    assert published(world) == [noted.submission] * 2
    assert again.json()["submission"] == noted.submission
    assert len(world.objects.bodies) == (size > 4)


class HangingTopic(MemoryTopic):
    """Topic whose first call hangs until it fails."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: asyncio.Event | None = asyncio.Event()

    @override
    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        if self.fails and not self.fails.is_set():
            hangs, self.fails = self.fails, None
            self.hangs = hangs
            await hangs.wait()
            raise Unavailable
        await super().publish(message, attributes)


async def test_a_slow_first_sender_withdraws_nothing_of_the_second() -> None:
    topic = HangingTopic()
    world = world_of(topic=topic)
    content = {"init_images": ["A" * 300_000]}
    first = asyncio.create_task(send(world, content=content))
    async with asyncio.timeout(5):
        while topic.fails:
            await asyncio.sleep(0.01)
    world.wall.now += 31
    second = await send(world, content=content)
    topic.hangs.set()
    failed = await first
    report = await world.ledger.find("owl")

    assert (failed.status_code, second.status_code) == (503, 202)
    assert report
    assert report.key is not None
    assert len(world.objects.bodies) == 1


async def test_a_claim_that_cannot_be_abandoned_is_taken_over() -> None:
    topic, claims = GatedTopic(), ForgetfulClaims()
    world = world_of(claims, topic)
    topic.open = False
    await send(world)
    topic.open = True
    early = await send(world)
    world.wall.now += 31
    late = await send(world)

    assert (early.status_code, late.status_code) == (409, 202)


async def test_without_claims_a_key_is_no_promise() -> None:
    world = world_of(Silent())

    assert (await send(world)).status_code == 503
    assert (await send(world, headers={})).status_code == 202
    assert len(published(world)) == 1


async def test_a_replay_survives_a_ledger_that_forgot(world: World) -> None:
    first = await send(world)
    await world.ledger.withdraw("owl", first.json()["submission"])

    again = await send(world)

    assert again.json()["submission"] == first.json()["submission"]
    assert again.json()["status"] == "queued"
