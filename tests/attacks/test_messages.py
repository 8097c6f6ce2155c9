"""Messages on the tasks topic that are no tasks: rejected at once with the reason."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from models.settings.groups import Tasks
from models.wire import pointer_to
from tests.ingest.world import OUTPUT, World, message, until


@dataclass(frozen=True)
class Attack:
    """Message in the queue, and a part of the reason with which it is rejected."""

    body: str
    why: str


def task(content: str = "{}", **metadata: Any) -> str:
    """A message whose content is this JSON text."""
    return json.dumps(message(**metadata) | {"content": "?"}).replace('"?"', content)


def notified(text: str, message_id: Any = "6e1f7c0e-8f5b-5c0f-9a55-2d8f3b0c9d11") -> str:
    """A message as SNS delivers it, unless it is delivered raw."""
    return json.dumps({"Type": "Notification", "MessageId": message_id, "Message": text})


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


NOT_JSON, NAN = "it is not JSON", "a number is NaN or infinite"
HALF, DEEP = "half of a character", "more than 200 levels deep"
POINTED = {f"{OUTPUT}/payloads/nan": "[NaN]", f"{OUTPUT}/payloads/large": "x" * 2 * 2**20}

ATTACKS: Mapping[str, Attack] = {
    "nothing": Attack("", NOT_JSON),
    "no JSON": Attack("make me a picture", NOT_JSON),
    "half of it": Attack(task()[:-1], NOT_JSON),
    "a byte order mark": Attack(f"\ufeff{task()}", NOT_JSON),
    "not a number": Attack(task('{"steps": NaN}'), NAN),
    "infinity": Attack(task('{"steps": -Infinity}'), NAN),
    "a number that becomes infinite": Attack(task('{"steps": 1e999}'), NAN),
    "infinity in the context": Attack(task(context={"x": float("inf")}), NAN),
    "half of a character": Attack(task('{"prompt": "half \\ud83d"}'), HALF),
    "half of a character as a key": Attack(task('{"\\udc00": 1}'), HALF),
    "half of a character as id": Attack(task(id="\ud83d"), HALF),
    "900 levels": Attack(task(deep(900)), DEEP),
    "100,000 levels": Attack(task(deep(100_000)), DEEP),
    "201 levels": Attack(task(deep(201)), DEEP),
    "a number of 5,000 digits": Attack(task("1" * 5000), "too many digits"),
    "not a number, as SNS delivers it": Attack(notified(task("[NaN]")), NAN),
    "half of a character, as SNS delivers it": Attack(notified(task('"\\ud83d"')), HALF),
    "900 levels, as SNS delivers them": Attack(notified(task(deep(900))), DEEP),
    "no identity": Attack(notified(task(), ""), "MessageId"),
    "a long identity": Attack(notified(task(), "x" * 3000), "MessageId"),
    "an identity with a key's separator": Attack(notified(task(), "a/../b"), "MessageId"),
    "an identity with a control character": Attack(notified(task(), "a\nb"), "MessageId"),
    "a list": Attack("[]", "not an object"),
    "null": Attack("null", "not an object"),
    "no metadata": Attack('{"content": {}}', "metadata is missing"),
    "metadata that is a list": Attack('{"metadata": [], "content": {}}', "not an object"),
    "no id": Attack(task(id=None), "metadata.id is missing"),
    "an id that is an object": Attack(task(id={"a": 1}), "metadata.id is not a word"),
    "an id that leaves the folder": Attack(task(id="../../x"), "'.' or '..' segment"),
    "an id with a control character": Attack(task(id="a\0b"), "control character"),
    "an id that is too long": Attack(task(id="x" * 1000), "too long for an S3 key"),
    "a prefix that leaves the bucket": Attack(task(prefix="../x"), "'.' or '..' segment"),
    "a prefix with a line feed": Attack(task(prefix="a\nb"), "control character"),
    "a long prefix that leaves the bucket": Attack(task(prefix="../" * 9_000), "'..' segment"),
    "a long id with empty segments": Attack(task(id="a//" * 9_000), "empty segments"),
    "a prefix that is a number": Attack(task(prefix=7), "not a string"),
    "a context that no notification carries": Attack(task(context="x" * 210_000), "over 204800"),
    "a callback by file": Attack(task(callback="file:///etc/passwd"), "not an http or https"),
    "a callback by gopher": Attack(task(callback={"url": "gopher://x"}), "not an http or https"),
    "a payload elsewhere": Attack(json.dumps(pointer_to("s3://other/payloads/x")), "is not under"),
    "a payload beside": Attack(json.dumps(pointer_to(f"{OUTPUT}/payloads/../x")), "is not under"),
    "a payload without a key": Attack(json.dumps(pointer_to(f"{OUTPUT}/payloads/")), "is missing"),
    "a payload that is not there": Attack(
        json.dumps(pointer_to(f"{OUTPUT}/payloads/x")), "missing"
    ),
    "a payload that is no number": Attack(json.dumps(pointer_to(f"{OUTPUT}/payloads/nan")), NAN),
    "a payload too large": Attack(json.dumps(pointer_to(f"{OUTPUT}/payloads/large")), "is over"),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
async def test_it_is_rejected_at_once_and_the_next_is_done(attack: Attack) -> None:
    world = World(Tasks(leaseSeconds=3))
    world.objects.bodies |= {uri: body.encode() for uri, body in POINTED.items()}

    await world.queue.send(attack.body)
    await world.publish()
    async with world.working():
        (told,) = await world.notifications(1)
        await until(lambda: world.queue.depth == 0)

    [letter] = world.queue.dead_letters
    assert attack.why in letter.reason
    assert len(letter.reason) < 400
    assert told["status"] == "completed"
    assert world.runtime.runs == 1
