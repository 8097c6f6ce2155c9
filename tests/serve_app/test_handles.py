"""Handles of the replicas: a task that one refuses is sent again, and stopped where it is."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, ClassVar

import pytest
from ray import serve
from ray.exceptions import ActorDiedError, RayActorError

from deployments.bundles import Bundle
from deployments.routing.requests import Refusal, RoutingRequest
from models.errors import RuntimeUnavailable
from models.report import Stage
from models.task import Kind, Task
from serve_app.handles import ReplicaHandle, why

TASK = Task(id="1", runtime="fake", kind=Kind.TEXT_TO_IMAGE, content={}, submission="s")
REFUSAL = Refusal("r", ("b",), changes=1, runs=0)


class Seen:
    """Record of what a replica has seen, which Serve makes of a class."""

    requests: ClassVar[list[RoutingRequest]] = []
    stopped: ClassVar[threading.Event] = threading.Event()


class Refusing:
    """Replica that refuses a task twice, then lets it wait until it is stopped."""

    async def run(
        self, task: Task, attempt: int, request: RoutingRequest
    ) -> AsyncGenerator[Bundle | Refusal, None]:
        del task, attempt
        stopped = Seen.stopped
        Seen.requests.append(request)
        if request.refusals < 2:
            yield REFUSAL
            return
        try:
            yield (Stage.WAITING,)
            await asyncio.sleep(8)
        finally:
            stopped.set()


@pytest.fixture
def handle() -> ReplicaHandle:
    """Make a handle of a replica in Serve's local testing."""
    Seen.requests.clear()
    Seen.stopped = threading.Event()
    app = serve.deployment(Refusing).bind()
    return ReplicaHandle(serve.run(app, _local_testing_mode=True), lambda _: ["a"])


async def test_a_task_that_is_refused_is_sent_again_with_what_was_said(
    handle: ReplicaHandle,
) -> None:
    async with asyncio.timeout(5), aclosing(handle.run(TASK, 1)) as updates:
        assert await anext(updates) is Stage.WAITING

    assert [each.refusals for each in Seen.requests] == [0, 1, 2]
    assert [each.refusal for each in Seen.requests] == [None, REFUSAL, REFUSAL]
    assert {each.key for each in Seen.requests} == {"s"}


async def test_who_leaves_stops_the_run_that_was_taken_and_not_the_one_that_was_refused(
    handle: ReplicaHandle,
) -> None:
    async with asyncio.timeout(5), aclosing(handle.run(TASK, 1)) as updates:
        assert await anext(updates) is Stage.WAITING
        assert not Seen.stopped.is_set()

    assert await asyncio.to_thread(Seen.stopped.wait, 5)


class Calls:
    """Handle whose first call is refused, or fails, and whose second one runs."""

    def __init__(self, first: Refusal | Exception = REFUSAL) -> None:
        self._first = first
        self.ran: list[list[bool]] = []
        """Record of each call: False as a bundle is read, True when it is known to have run."""

    def options(self, **options: object) -> "Calls":
        del options
        return self

    @property
    def run(self) -> "Calls":
        return self

    def remote(self, task: Task, attempt: int, request: RoutingRequest) -> "Stream":
        del task, attempt
        ran: list[bool] = []
        self.ran.append(ran)
        assert request.answer
        request.answer.when_run(lambda: ran.append(True))
        bundles = [(Stage.WAITING,), (Stage.RUNNING,)] if request.refusals else [self._first]
        return Stream(bundles, ran)


class Stream:
    """Bundles of a call."""

    def __init__(self, bundles: Sequence[Bundle | Refusal | Exception], ran: list[bool]) -> None:
        self._bundles = iter(bundles)
        self._ran = ran

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Bundle | Refusal:
        self._ran.append(False)
        if (bundle := next(self._bundles, None)) is None:
            raise StopAsyncIteration
        if isinstance(bundle, Exception):
            raise bundle
        return bundle

    def cancel(self) -> None:
        """Stop nothing."""


async def test_a_call_is_known_to_have_run_by_the_first_that_it_tells_and_never_if_refused() -> (
    None
):
    calls: Any = Calls()
    async with aclosing(ReplicaHandle(calls, lambda _: []).run(TASK, 1)) as updates:
        assert [update async for update in updates] == [Stage.WAITING, Stage.RUNNING]

    refused, taken = calls.ran
    assert refused == [False, False]
    assert taken == [False, True, False, False]


async def test_a_call_whose_replica_is_gone_is_not_waited_for() -> None:
    calls: Any = Calls(RayActorError())
    with pytest.raises(RuntimeUnavailable):
        async with aclosing(ReplicaHandle(calls, lambda _: []).run(TASK, 1)) as updates:
            await anext(updates)

    assert True in calls.ran[0]


def test_a_replica_that_died_is_told_in_words() -> None:
    assert why(ActorDiedError()) == "the replica's process ended"
