"""Queues of an installation: made by its infrastructure, or on a laptop by `provision`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.names import Names, routing

if TYPE_CHECKING:
    from models.settings.groups import Runtime, Tasks

LONGEST_DAYS = 14
"""Days that SQS keeps a message, at most."""
# Twice the longest that `callbacks.timeoutSeconds` may be.
_CALL_SECONDS = 60
_CALL_RECEIVES = 1_000  # a call that waits for its turn is received again and again


@dataclass(frozen=True, kw_only=True)
class QueuePlan:
    """Queue as it is to be made."""

    name: str
    days: int = LONGEST_DAYS
    """Days that messages are kept."""
    visibility_seconds: int = 30
    dead_letters: str | None = None
    """Name of the queue that SQS moves a message to after ``max_receives``."""
    max_receives: int = 0
    policy: routing.Policy | None = None
    """Filter of the messages that the queue takes from the tasks topic; None: it takes none."""


def queues(names: Names, runtimes: Sequence["Runtime"], tasks: "Tasks") -> Iterator[QueuePlan]:
    """Plan the queues that the platform itself works, dead letters before the queue they are of.

    The first is that of what SNS could not deliver, which subscriptions name.
    """
    yield QueuePlan(name=names.undelivered)
    for runtime in runtimes:
        dead_letters = names.dead_letters(runtime.name)
        yield QueuePlan(name=dead_letters)
        yield QueuePlan(
            name=names.queue(runtime.name),
            days=tasks.queue_days,
            visibility_seconds=tasks.lease_seconds,
            dead_letters=dead_letters,
            max_receives=tasks.max_receives,
            policy=routing.of_runtime(runtime),
        )
    yield QueuePlan(name=names.unrouted, policy=routing.of_unrouted(runtimes))
    yield QueuePlan(name=names.callback_calls_dead_letters)
    yield QueuePlan(
        name=names.callback_calls,
        visibility_seconds=_CALL_SECONDS,
        dead_letters=names.callback_calls_dead_letters,
        max_receives=_CALL_RECEIVES,
    )


def queues_of_services(names: Names, model_bucket: str | None) -> Iterator[QueuePlan]:
    """Plan the queues that only AWS fills, and so only infrastructure makes; people read them."""
    if model_bucket is not None:
        yield QueuePlan(name=names.checkpoint_events)


def queue_names(
    names: Names, runtimes: Sequence["Runtime"], tasks: "Tasks", model_bucket: str | None
) -> Iterator[str]:
    """Name every queue of an installation, Karpenter's own among them."""
    yield names.interruptions
    for plan in (*queues(names, runtimes, tasks), *queues_of_services(names, model_bucket)):
        yield plan.name
