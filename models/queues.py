"""The queues of an installation: made by its infrastructure, or on a laptop by `provision`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models import routing

if TYPE_CHECKING:
    from models.settings import Settings

LONGEST_DAYS = 14
"""SQS keeps a message no longer."""
_CALL_SECONDS = 60
_CALL_RECEIVES = 1_000  # a call that waits for its turn is received again and again


@dataclass(frozen=True, kw_only=True)
class QueuePlan:
    """One queue."""

    name: str
    days: int = LONGEST_DAYS
    """Messages are kept so long."""
    visibility_seconds: int = 30
    dead_letters: str | None = None
    """The queue that SQS moves a message to after ``max_receives``."""
    max_receives: int = 0
    policy: routing.Policy | None = None
    """Which messages of the tasks topic it takes; None: none."""


def queues(settings: "Settings") -> Iterator[QueuePlan]:
    """All of them, dead letters before the queue that they are of."""
    tasks = settings.tasks
    for runtime in settings.models_runtime:
        yield QueuePlan(name=settings.dead_letters(runtime.name))
        yield QueuePlan(
            name=settings.queue(runtime.name),
            days=tasks.queue_days,
            visibility_seconds=tasks.lease_seconds,
            dead_letters=settings.dead_letters(runtime.name),
            max_receives=tasks.max_receives,
            policy=routing.of_runtime(runtime),
        )
    yield QueuePlan(name=settings.unrouted, policy=routing.of_unrouted(settings))
    yield QueuePlan(name=settings.callback_calls_dead_letters)
    yield QueuePlan(
        name=settings.callback_calls,
        visibility_seconds=_CALL_SECONDS,
        dead_letters=settings.callback_calls_dead_letters,
        max_receives=_CALL_RECEIVES,
    )


def queues_of_services(settings: "Settings") -> Iterator[QueuePlan]:
    """Those that only AWS itself fills, and so only infrastructure makes; people read them."""
    yield QueuePlan(name=settings.undelivered)
    if settings.model_bucket is not None:
        yield QueuePlan(name=settings.checkpoint_events)


def queue_names(settings: "Settings") -> Iterator[str]:
    """Of all of them, Karpenter's own among them."""
    yield settings.interruptions
    for plan in (*queues(settings), *queues_of_services(settings)):
        yield plan.name
