"""Queue and topic: their contract in memory, on the embedded AWS and on moto."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence

import pytest

from models.errors import PublicationRefused
from models.ports import Delivery, Queue
from models.wire import LARGEST
from tests.contracts.ports import World, skip_on_moto

MOTO_TAKES_ANY_RECEIPT = "moto takes a receipt that is no longer the newest"
MOTO_KNOWS_NO_OR = "moto does not evaluate $or in a filter policy"

ROUTES: Sequence[tuple[Mapping[str, str], str]] = [
    ({"runtime": "painter"}, "painter"),
    ({"runtime": "PAINTER"}, "painter"),
    ({"runtime": "Painter", "submission": "s-1"}, "painter"),
    ({"runtime": "sketcher"}, "sketcher"),
    ({"runtime": "Sketcher"}, "sketcher"),
    ({"sd_model_checkpoint": "shapes.safetensors"}, "painter"),
    ({"runtime": "painter", "sd_model_checkpoint": "shapes.safetensors"}, "painter"),
    ({"runtime": "sketcher", "sd_model_checkpoint": "other"}, "sketcher"),
    ({"runtime": "legacy", "sd_model_checkpoint": "shapes.safetensors"}, "painter"),
    ({"runtime": "unknown"}, "unrouted"),
    ({"runtime": "painter2"}, "unrouted"),
    ({"sd_model_checkpoint": "other"}, "unrouted"),
    ({"sd_model_checkpoint": "Shapes.safetensors"}, "unrouted"),
    ({"runtime": "unknown", "sd_model_checkpoint": "other"}, "unrouted"),
    ({"submission": "s-1"}, "unrouted"),
    ({}, "nowhere"),  # without an attribute it matches no policy, not even one of absence
]


async def one(queue: Queue) -> Delivery:
    (delivery,) = await queue.receive(1)
    return delivery


async def waiting(world: World) -> Sequence[str]:
    """Receive all bodies that are visible now; one more is sent, so that there is no long poll."""
    await world.send("last", {})
    bodies = [delivery.body for delivery in await world.queue.receive(10)]
    bodies.remove("last")
    return bodies


class TestQueue:
    async def test_a_message_is_received_with_its_attributes(self, world: World) -> None:
        await world.send("body", {"runtime": "painter", "submission": "s-1"})

        delivery = await one(world.queue)

        assert delivery.body == "body"
        assert delivery.attributes == {"runtime": "painter", "submission": "s-1"}
        assert delivery.attempt == 1

    async def test_any_text_arrives_unchanged(self, world: World) -> None:
        body = json.dumps({"prompt": "дом 🏠 \u2028 <&> \t\n"}, ensure_ascii=False)
        await world.send(body, {"name": "é 🏠"})

        delivery = await one(world.queue)

        assert delivery.body == body
        assert delivery.attributes == {"name": "é 🏠"}

    async def test_a_body_of_200_kilobytes_arrives(self, world: World) -> None:
        body = "ж" * 100_000
        await world.send(body, {})

        assert (await one(world.queue)).body == body

    async def test_no_more_are_received_than_asked_for(self, world: World) -> None:
        for n in range(5):
            await world.send(str(n), {})

        assert len(await world.queue.receive(3)) <= 3

    async def test_an_empty_queue_gives_nothing_after_a_while(self, world: World) -> None:
        assert not await world.queue.receive(10)

    async def test_a_receiver_wakes_for_a_message_that_comes_while_it_waits(
        self, world: World
    ) -> None:
        receiving = asyncio.create_task(one(world.queue))
        await asyncio.sleep(0.1)
        await world.send("late", {})

        assert (await receiving).body == "late"

    async def test_a_message_under_lease_is_invisible(self, world: World) -> None:
        await world.send("body", {})
        await one(world.queue)

        assert await waiting(world) == []

    async def test_a_message_comes_back_when_its_lease_ends(self, world: World) -> None:
        await world.send("body", {})
        first = await one(world.queue)
        await world.queue.extend(first, 1)
        await asyncio.sleep(1.1)
        again = await one(world.queue)

        assert (again.id, again.body, again.attempt) == (first.id, "body", 2)

    async def test_a_message_that_is_handed_back_comes_back_at_once(self, world: World) -> None:
        await world.send("body", {})
        await world.queue.extend(await one(world.queue), 0)

        assert (await one(world.queue)).attempt == 2

    async def test_what_is_extended_or_acknowledged_does_not_come_back(self, world: World) -> None:
        for body in ("lapsed", "extended", "done"):
            await world.send(body, {})
        leased = {d.body: d for d in [await one(world.queue) for _ in range(3)]}
        await asyncio.gather(*(world.queue.extend(d, 1) for d in leased.values()))
        await world.queue.extend(leased["extended"], 30)
        await world.queue.ack(leased["done"])
        await asyncio.sleep(1.1)

        assert await waiting(world) == ["lapsed"]

    async def test_many_are_extended_and_acknowledged_at_once(self, world: World) -> None:
        for n in range(25):
            await world.send(str(n), {})
        leased = [d for _ in range(3) for d in await world.queue.receive(10)]
        await asyncio.gather(*(world.queue.extend(d, 1) for d in leased))
        await asyncio.gather(*(world.queue.ack(d) for d in leased))
        await asyncio.sleep(1.1)

        assert len({d.id for d in leased}) == 25
        assert await waiting(world) == []

    async def test_an_old_receipt_has_no_effect(self, world: World) -> None:
        skip_on_moto(world, MOTO_TAKES_ANY_RECEIPT)
        await world.send("body", {})
        old = await one(world.queue)
        await world.queue.extend(old, 0)
        new = await one(world.queue)
        await world.queue.ack(old)
        await world.queue.extend(old, 0)

        assert await waiting(world) == []
        await world.queue.extend(new, 0)
        assert (await one(world.queue)).attempt == 3

    async def test_a_rejected_message_goes_to_the_dead_letters(self, world: World) -> None:
        await world.send("not a task", {"runtime": "painter"})
        delivery = await one(world.queue)
        await world.queue.extend(delivery, 1)
        await world.queue.reject(delivery, reason="not JSON: line 1")
        await asyncio.sleep(1.1)
        (letter,) = await world.dead_letters()

        assert letter.body == "not a task"
        assert letter.attributes == {"runtime": "painter"}
        assert letter.reason == "not JSON: line 1"
        assert await waiting(world) == []

    async def test_a_dead_letter_can_be_looked_at_and_sent_back(self, world: World) -> None:
        await world.send("not a task", {"submission": "s-1"})
        await world.queue.reject(await one(world.queue), reason="no JSON")
        assert await world.letters.backlog() == 1
        looked_at = await one(world.letters)
        await world.letters.extend(looked_at, 0)
        letter = await one(world.letters)

        assert (letter.id, letter.body) == (looked_at.id, "not a task")
        assert letter.attributes == {"submission": "s-1", "reason": "no JSON"}
        await world.source.publish(letter.body, {"submission": "s-1"})
        await world.letters.ack(letter)
        again = await one(world.queue)
        assert (again.body, again.attributes, again.attempt) == (
            "not a task",
            {"submission": "s-1"},
            1,
        )
        assert await world.letters.receive(1) == []

    async def test_what_is_received_too_often_is_a_dead_letter(self, world: World) -> None:
        await world.send("poison", {"submission": "s-1"})
        for _ in range(world.settings.tasks.max_receives):
            await world.queue.extend(await one(world.queue), 0)
        assert await world.queue.receive(1) == []
        letter = await one(world.letters)

        assert (letter.body, letter.attributes) == ("poison", {"submission": "s-1"})

    async def test_any_reason_can_be_given(self, world: World) -> None:
        await world.send("x", {})
        await world.queue.reject(await one(world.queue), reason="bad\x00" + "é" * 2_000)
        (letter,) = await world.dead_letters()

        assert letter.reason.startswith("bad")

    async def test_a_message_says_when_it_was_sent(self, world: World) -> None:
        before = time.time()
        await world.send("body", {})
        after = time.time()
        first = await one(world.queue)
        await world.queue.extend(first, 0)

        assert int(before * 1_000) / 1_000 <= first.sent <= after
        assert (await one(world.queue)).sent == first.sent

    async def test_the_backlog_is_what_waits(self, world: World) -> None:
        assert await world.queue.backlog() == 0
        for n in range(12):
            await world.send(str(n), {})
        assert await world.queue.backlog() == 12
        delivery = await one(world.queue)
        assert await world.queue.backlog() == 11
        await world.queue.extend(delivery, 0)
        assert await world.queue.backlog() == 12

    async def test_a_call_comes_to_those_who_make_calls(self, world: World) -> None:
        text = json.dumps({"url": "https://é"}, ensure_ascii=False)
        await world.callbacks.publish(text, {})
        await world.callbacks.publish("x", {"a": "é"})
        got = [await one(world.calls), await one(world.calls)]

        assert {d.body: d.attributes for d in got} == {text: {}, "x": {"a": "é"}}


class TestTopic:
    async def test_a_message_that_is_too_long_is_refused_for_good(self, world: World) -> None:
        with pytest.raises(PublicationRefused):
            await world.tasks.publish("x" * (LARGEST + 1), {"runtime": "painter"})

    async def test_a_message_arrives_in_the_envelope_of_sns(self, world: World) -> None:
        await world.tasks.publish('{"é": 1}', {"runtime": "sketcher", "submission": "s-1"})
        delivery = await one(world.queues["sketcher"])
        envelope = json.loads(delivery.body)

        assert envelope["Type"] == "Notification"
        assert envelope["MessageId"]
        assert envelope["Message"] == '{"é": 1}'
        assert envelope["MessageAttributes"] == {
            "runtime": {"Type": "String", "Value": "sketcher"},
            "submission": {"Type": "String", "Value": "s-1"},
        }
        assert delivery.attributes == {}

    @pytest.mark.parametrize("raw", [True])
    async def test_a_message_can_arrive_raw_with_its_attributes(self, world: World) -> None:
        await world.tasks.publish('{"é": 1}', {"runtime": "sketcher", "submission": "s-1"})
        delivery = await one(world.queues["sketcher"])

        assert delivery.body == '{"é": 1}'
        assert delivery.attributes == {"runtime": "sketcher", "submission": "s-1"}

    async def test_each_message_goes_to_one_queue(self, world: World) -> None:
        skip_on_moto(world, MOTO_KNOWS_NO_OR)
        for n, (attributes, _) in enumerate(ROUTES):
            await world.tasks.publish(str(n), attributes)
        found = [(queue, await drained(world.queues[queue])) for queue in world.queues]

        for queue, messages in found:
            expected = [str(n) for n, (_, to) in enumerate(ROUTES) if to == queue]
            assert sorted(messages, key=int) == expected, queue


async def drained(queue: Queue) -> Sequence[str]:
    """Receive the messages of SNS that wait in a queue."""
    messages: list[str] = []
    while found := await queue.receive(10):
        messages += [json.loads(delivery.body)["Message"] for delivery in found]
    return messages
