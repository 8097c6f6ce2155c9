"""Handles of the replicas: a task that one refuses is sent again, and stopped where it is."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import ClassVar

import pytest
from ray import serve

from deployments.bundles import Bundle
from deployments.routing.requests import Refusal, RoutingRequest
from models.report import Stage
from models.task import Kind, Task
from serve_app.handles import ReplicaHandle

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
