"""Router of Serve's requests: a call that has ended is one that ran, or one that was refused."""

import asyncio
import pickle
from dataclasses import dataclass
from typing import Any

import pytest
from ray.serve._private.common import (
    DeploymentHandleSource,
    DeploymentID,
    ReplicaID,
    RequestMetadata,
)
from ray.serve.request_router import PendingRequest

from deployments.routing import Need
from deployments.routing.request_router import AffinityRouter
from deployments.routing.requests import Answer, Refusal, RoutingRequest

DEPLOYMENT = DeploymentID("images", "atelier")


@dataclass(frozen=True)
class Replica:
    """Replica as Serve's handle knows it: it takes one task at once."""

    replica_id: ReplicaID
    max_ongoing_requests: int = 1
    routing_stats: tuple[()] = ()

    async def get_queue_len(self, *, deadline_s: float) -> int:
        del deadline_s
        return 0


class Calls:
    """Calls of a handle, and the router of which Serve asks a replica for each."""

    def __init__(self) -> None:
        self.replica = ReplicaID("r", DEPLOYMENT)
        self.router: Any = AffinityRouter(
            deployment_id=DEPLOYMENT, handle_source=DeploymentHandleSource.REPLICA
        )
        self.router.initialize_state()
        self.router.update_replicas([Replica(self.replica)])
        self.chosen: dict[str, asyncio.Task[Any]] = {}

    def call(self, request: RoutingRequest, call: str) -> None:
        pending = PendingRequest([None, 1, request], {}, RequestMetadata(call, call))
        self.chosen[call] = asyncio.create_task(self.router.choose_replicas([], pending))

    def complete(self, call: str) -> None:
        self.router.on_request_completed(self.replica, call)

    async def sent(self) -> set[str]:
        """Name the calls that have a replica once all has been done that is to be done now."""
        for _ in range(5):
            await asyncio.sleep(0)
        return {call for call, task in self.chosen.items() if task.done()}


@pytest.fixture
async def calls() -> Calls:
    return Calls()


def request(key: str, *files: str, answer: Answer | None = None) -> RoutingRequest:
    return RoutingRequest(key, Need(files, 0.3, 3.0), answer=answer)


async def test_a_replica_is_given_the_next_task_once_its_last_one_is_known_to_have_run(
    calls: Calls,
) -> None:
    answers = Answer(), Answer()
    first, second = request("1", "a", answer=answers[0]), request("2", "a", answer=answers[1])
    calls.call(first, "first")
    calls.call(second, "second")
    assert await calls.sent() == {"first"}

    calls.complete("first")
    assert await calls.sent() == {"first"}
    answers[0].note_run()
    assert await calls.sent() == {"first", "second"}
    answers[1].note_run()
    calls.call(request("3", "a"), "third")
    calls.complete("second")
    assert await calls.sent() == {"first", "second", "third"}


async def test_the_end_of_a_task_whose_answer_nobody_reads_is_its_end(calls: Calls) -> None:
    """A handle of Serve's own sent it."""
    calls.call(request("1", "a"), "first")
    calls.call(request("2", "a"), "second")
    assert await calls.sent() == {"first"}
    calls.complete("first")

    assert await calls.sent() == {"first", "second"}


async def test_a_task_that_was_refused_is_not_taken_for_one_that_ran(calls: Calls) -> None:
    """Serve tells the end of its call before its handle reads why."""
    first = request("1", "a", answer=Answer())
    calls.call(first, "first")
    calls.call(request("2", "a"), "second")
    assert await calls.sent() == {"first"}
    calls.complete("first")
    assert await calls.sent() == {"first"}
    calls.call(first.refused(Refusal("r", ("a",), changes=1, runs=0)), "again")

    assert await calls.sent() == {"first", "again"}


def test_who_waits_for_an_answer_does_not_go_along_to_a_replica() -> None:
    answer = Answer()
    sent = request("1", "a", answer=answer)
    answer.when_run(lambda: None)

    assert pickle.loads(pickle.dumps(sent)) == sent
