"""Queue of SQS: batch calls, errors of single entries, limits of attributes."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from ingest.aws.client import Clients
from ingest.aws.sqs import SqsQueue, SqsSender
from models.errors import Unavailable
from models.ports import Delivery
from tests.contracts.ports import World, aws_world, fresh_settings

MISSING = r"SQS GetQueueUrl: .*NonExistentQueue|QueueDoesNotExist"


@pytest.fixture
async def world(embedded_clients: Clients) -> World:
    return await aws_world("embedded", embedded_clients, fresh_settings())


@pytest.fixture
async def calls(embedded_clients: Clients, monkeypatch: pytest.MonkeyPatch) -> Sequence[str]:
    """Names of the operations that SQS was asked for, by whatever client."""
    made: list[str] = []
    sqs: Any = await embedded_clients.sqs()
    connections = sqs._endpoint.http_session  # noqa: SLF001 - what both clients send by
    send = connections.send

    async def noted(request: Any) -> Any:
        fields = {name.lower(): value for name, value in request.headers.items()}
        target = fields["x-amz-target"]
        made.append((target if isinstance(target, str) else target.decode()).rpartition(".")[2])
        return await send(request)

    monkeypatch.setattr(connections, "send", noted)
    return made


async def test_25_acknowledgements_are_three_calls(world: World, calls: Sequence[str]) -> None:
    for n in range(25):
        await world.send(str(n), {})
    leased = [delivery for _ in range(3) for delivery in await world.queue.receive(10)]
    await asyncio.gather(*(world.queue.extend(delivery, 60) for delivery in leased))
    await asyncio.gather(*(world.queue.ack(delivery) for delivery in leased))

    assert len(leased) == 25
    assert calls.count("ChangeMessageVisibilityBatch") == 3
    assert calls.count("DeleteMessageBatch") == 3


async def test_a_queue_is_looked_up_once(world: World, calls: list[str]) -> None:
    calls.clear()
    for _ in range(2):
        await world.callbacks.publish("x", {})
        await world.calls.receive(1)

    assert calls.count("GetQueueUrl") == 2  # the sender's and the receiver's


async def test_an_old_receipt_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        await world.queue.ack(Delivery(id="m-1", receipt="old", body=""))

    (record,) = [r for r in caplog.records if r.message == "receipt_stale"]
    assert vars(record)["message_id"] == "m-1"


async def test_an_entry_that_was_refused_is_unavailable(world: World) -> None:
    queue = world.queue
    assert isinstance(queue, SqsQueue)
    delivery = Delivery(id="m-1", receipt="r", body="")
    failed: list[Any] = [{"Id": "1", "Code": "InternalError", "SenderFault": False}]
    errors = queue.errors([delivery, delivery], failed)

    assert errors[0] is None
    assert isinstance(errors[1], Unavailable)
    assert str(errors[1]) == f"SQS {queue.name}: InternalError"


async def test_a_message_with_the_most_attributes_can_be_rejected(world: World) -> None:
    """Dead letters that are sent again are still the same submission."""
    await world.send("x", {f"a{n}": "v" for n in range(9)} | {"submission": "s1"})
    (delivery,) = await world.queue.receive(1)
    await world.queue.reject(delivery, reason="")
    (letter,) = await world.dead_letters()

    assert len(letter.attributes) == 9
    assert letter.attributes["submission"] == "s1"
    assert letter.reason == "rejected"


async def test_a_reason_is_cut_and_has_no_control_characters(world: World) -> None:
    await world.send("x", {"reason": "an older one"})
    (delivery,) = await world.queue.receive(1)
    await world.queue.reject(delivery, reason="\x00a\ud800\nb" + "c" * 2_000)
    (letter,) = await world.dead_letters()

    assert letter.reason.startswith("a  bccc")
    assert len(letter.reason) < 1_000


async def test_a_missing_queue_is_unavailable(embedded_clients: Clients) -> None:
    queue = SqsQueue(embedded_clients, name="nothing", dead_letters="nothing")

    with pytest.raises(Unavailable, match=MISSING):
        await queue.receive(1)
    with pytest.raises(Unavailable, match=MISSING):
        await queue.backlog()
    with pytest.raises(Unavailable, match=MISSING):
        await SqsSender(embedded_clients, "nothing").publish("x", {})
