"""Plans of submissions, drawn by a seed: how each task is sent, and what must become of it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any

from bench.chaos.scenarios import Scenario

RUNTIME, FAR = "pictures", "far"
"""Runtimes: on the head, and on a node of its own, which may be killed."""
PREFIX = "chaos"
"""Folder of the artifacts."""


class Way(StrEnum):
    """Way by which a task is sent."""

    NATIVE = "native"
    """`POST /v1/tasks` with an idempotency key."""
    DIALECT = "dialect"
    """`POST /v1alpha2`, where a request that is sent again is another task."""
    TOPIC = "topic"
    QUEUE = "queue"
    """Straight into the runtime's queue."""


class Fate(StrEnum):
    """End that a task must have."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    """Cancelled where the cancel was answered so; else as if nobody had asked."""
    FAILED = "failed"
    REFUSED = "refused"
    """Failed, or among the dead letters."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Plan of one submission."""

    id: str
    way: Way
    fate: Fate = Fate.COMPLETED
    runtime: str = RUNTIME
    content: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
    """Text of a message that is no task; None: it is one."""
    copies: int = 1
    """Times that the same message is published, or the same request made, at once."""
    callback: bool = False
    cancel_after: float = 0
    """Seconds from its acceptance to a cancel; 0: nobody cancels it."""

    @property
    def metadata(self) -> dict[str, Any]:
        """Metadata of its message, without a callback."""
        return {
            "id": self.id,
            "runtime": self.runtime,
            "tasktype": "text-to-image",
            "prefix": PREFIX,
            "context": {"id": self.id},
        }


_WAYS = {Way.NATIVE: 0.45, Way.DIALECT: 0.25, Way.TOPIC: 0.3}
_FAR = 0.1
"""Share of the tasks for the runtime on the other node, where there is one."""
_CALLBACKS = 0.1
_POISON = {
    "no-json": 1.0,
    "no-id": 1.0,
    "deep": 1.0,
    "surrogate": 1.0,
    "message-id": 1.0,
    "fail": 1.0,
    "vanish": 1.0,
    "crash": 0.4,
}
"""Kinds of poison and their weights; a crash costs the machine three starts of a replica."""
_LEVELS = 900
_LONG_ID = 3_000


def plans(tasks: int, scenario: Scenario, seed: int, *, far: bool) -> Iterator[Plan]:
    """Draw so many plans; ``far``: there is a node besides the head."""
    random = Random(seed)
    for number in range(tasks):
        yield _plan(f"c{seed}-{number:05}", scenario, random, far=far)


def _plan(name: str, scenario: Scenario, random: Random, *, far: bool) -> Plan:
    way = random.choices(list(_WAYS), list(_WAYS.values()))[0]
    runtime = FAR if far and random.random() < _FAR else RUNTIME
    content = {"prompt": f"picture {name}", "seed": random.randrange(2**32)}
    kind = random.random()
    if kind < scenario.poison:
        poison = random.choices(list(_POISON), list(_POISON.values()))[0]
        return _poison(poison, name, content)
    if kind < scenario.poison + scenario.copies:
        way = random.choice([Way.NATIVE, Way.TOPIC])
        copies = random.randint(2, 5) if way is Way.TOPIC else 2
        return Plan(id=name, way=way, content=content, runtime=runtime, copies=copies)
    if kind < scenario.poison + scenario.copies + scenario.cancels:
        return Plan(
            id=name,
            way=Way.NATIVE,
            fate=Fate.CANCELLED,
            runtime=runtime,
            content=content,
            cancel_after=random.uniform(0.01, 15),
        )
    callback = random.random() < _CALLBACKS
    return Plan(id=name, way=way, runtime=runtime, content=content, callback=callback)


def _poison(poison: str, name: str, content: Mapping[str, Any]) -> Plan:
    match poison:
        case "no-json":
            text = f"{name} is no JSON"
            return Plan(id=name, way=Way.TOPIC, fate=Fate.REFUSED, text=text)
        case "no-id":
            text = f'{{"metadata": {{"note": "{name}"}}, "content": {{}}}}'
            return Plan(id=name, way=Way.TOPIC, fate=Fate.REFUSED, text=text)
        case "message-id":
            return Plan(id=name, way=Way.QUEUE, fate=Fate.REFUSED, text=_long_envelope(name))
        case "deep":
            return Plan(id=name, way=Way.TOPIC, fate=Fate.REFUSED, text=_deep(name))
        case "surrogate":
            lone = {**content, "prompt": "half \ud83d"}
            return Plan(id=name, way=Way.TOPIC, fate=Fate.REFUSED, content=lone)
        case _:
            bad = {**content, poison: "as planned" if poison == "fail" else True}
            return Plan(id=name, way=Way.NATIVE, fate=Fate.FAILED, content=bad)


def _deep(name: str) -> str:
    """Write a task whose prompt is nested deeper than parsers go; as text, since writers refuse."""
    metadata = json.dumps({"id": name, "tasktype": "text-to-image", "prefix": PREFIX})
    prompt = "[" * _LEVELS + "]" * _LEVELS
    return f'{{"metadata": {metadata}, "content": {{"prompt": {prompt}}}}}'


def _long_envelope(name: str) -> str:
    """Write SNS's envelope with a MessageId that no ledger takes."""
    long_id = "m" * _LONG_ID
    return f'{{"Type": "Notification", "Message": "{name}", "MessageId": "{long_id}"}}'
