"""Messages of any kind are told or rejected, and what is written about them is JSON."""

import json
from typing import Any

from hypothesis import given, strategies as st

from models import strict_json
from models.errors import TaskFailed
from models.settings.groups import Tasks
from models.wire import pointer_to
from tests.fuzz.bounds import bounds
from tests.ingest.world import OUTPUT, World, until

words = st.text(st.characters(), max_size=12) | st.sampled_from(
    ["", "owl", "a/b", "../x", ".", "\0", "\ud83d", "é" * 300, "text-to-image", "sdruntime"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
names = st.text("abcXYZ019-_", min_size=1, max_size=8)
callbacks = values | st.fixed_dictionaries(
    {"url": st.just("https://shop.example/") | values},
    optional={"events": st.lists(st.sampled_from(["running", "failed", "x"]), max_size=3)},
)
metadata = st.fixed_dictionaries(
    {},
    optional={
        "id": names | values,
        "runtime": st.just("sdruntime") | values,
        "tasktype": st.just("text-to-image") | values,
        "prefix": names | values,
        "context": values,
        "callback": callbacks,
    },
)
tasks = st.fixed_dictionaries({}, optional={"metadata": metadata | values, "content": values})
pointers = words.map(lambda key: pointer_to(f"{OUTPUT}/payloads/{key}"))
bodies = st.one_of(tasks, tasks, pointers, values)
texts = bodies.map(json.dumps) | st.text(max_size=40)
deep = st.integers(1, 2000).map(lambda levels: "[" * levels + "]" * levels)


@st.composite
def delivered(draw: st.DrawFn) -> str:
    """Message in the queue: raw, or as SNS wraps it."""
    text = draw(texts | deep)
    if draw(st.booleans()):
        return text
    wrapped = {"Type": "Notification", "Message": text, "MessageId": draw(names | values)}
    attributes = draw(st.dictionaries(words, st.fixed_dictionaries({"Value": values}), max_size=2))
    return json.dumps(wrapped | {"MessageAttributes": attributes})


class Settled:
    """Outcome of messages: notifications, outputs, dead letters."""

    def __init__(self, world: World) -> None:
        published = [*world.results.published, *world.calls.published]
        self.told = [strict_json.read(each.message) for each in published]
        self.outputs = [strict_json.read(body) for body in world.objects.bodies.values()]
        self.ended = {each["submission"] for each in self.told}
        self.rejected = world.queue.dead_letters


@given(st.lists(delivered(), min_size=1, max_size=8))
@bounds(40)
async def test_each_message_comes_to_its_end(sent: list[str]) -> None:
    world = World(Tasks(leaseSeconds=3))
    for text in sent:
        await world.queue.send(text)
    async with world.working() as work:
        await until(lambda: world.queue.depth == 0, seconds=30)
        assert not work.done()

    settled = Settled(world)
    assert settled.ended or settled.rejected
    assert len(settled.rejected) + world.runtime.runs <= len(sent)
    assert all(letter.reason for letter in settled.rejected)


@given(values, values)
@bounds(40)
async def test_what_a_runtime_answers_is_told_as_json(reason: Any, context: Any) -> None:
    world = World(Tasks(leaseSeconds=3))
    world.runtime.acts = [TaskFailed("no", reason=reason)]
    readable = json.loads(strict_json.written(context))
    await world.publish(context=readable)
    async with world.working():
        await until(lambda: world.queue.depth == 0, seconds=30)

    [told] = Settled(world).told
    assert told["context"] == readable
    assert Settled(world).outputs[0]["parameters"]["error_msg"] == "no"
