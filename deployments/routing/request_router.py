"""Router of a handle's requests: Ray Serve asks it which replica each goes to."""

import asyncio
import math
import time
from functools import partial
from typing import Any

from ray.serve.request_router import (
    PendingRequest,
    ReplicaID,
    ReplicaResult,
    RequestRouter,
    RunningReplica,
)

from deployments.routing.dispatcher import Dispatcher, Told
from deployments.routing.requests import RoutingRequest

REQUEST = 2
"""Position of a task's `RoutingRequest` among the arguments of a call."""
FILES, CHANGES, ROUTERS = "files", "changes", "routers"
"""Names in what a replica tells of itself."""
_MOST_REQUESTS = 100_000


class AffinityRouter(RequestRouter):  # type: ignore[misc] # Any
    """Sends each task to a replica that has the files which it needs.

    What is to go where decides the `Dispatcher`. Serve asks for each request in a task of its own,
    which waits here until it has a replica. Serve's mixins would give it to another request that
    names the same files, whose claim is another one.
    """

    def initialize_state(self, **kwargs: Any) -> None:
        """Begin without any knowledge; called by Serve."""
        del kwargs
        self._dispatcher = Dispatcher()
        self._chosen: dict[str, asyncio.Future[ReplicaID]] = {}
        """Replica of each request that Serve waits for, by the request's id."""
        self._ids: dict[str, ReplicaID] = {}
        self._requests: dict[str, PendingRequest] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def max_num_routing_tasks(self) -> int:
        """Tasks in which Serve asks for a replica: one for each request, for they wait here."""
        return _MOST_REQUESTS if self.curr_replicas else 0

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """Wait until a request is to go to a replica, and return that."""
        if pending_request is None:
            return [candidate_replicas]
        # Else Serve would ask again at once and for ever, where the replica is gone meanwhile.
        pending_request.routing_context.should_backoff = True
        replica = self.curr_replicas.get(await self._choice(pending_request))
        return [[replica]] if replica else []

    def update_replicas(self, replicas: list[RunningReplica]) -> None:
        """Take the replicas that there are, with what they tell of themselves."""
        super().update_replicas(replicas)
        self._follow()

    def on_replica_actor_died(self, replica_id: ReplicaID) -> None:
        """Forget a replica that is gone."""
        super().on_replica_actor_died(replica_id)
        self._follow()

    def on_new_queue_len_info(self, replica_id: ReplicaID, num_ongoing_requests: int) -> None:
        """Note that a replica is full, by whomever."""
        super().on_new_queue_len_info(replica_id, num_ongoing_requests)
        # One that is not full may have been counted before it told of the end of a task.
        replica = self.curr_replicas.get(replica_id)
        if replica and num_ongoing_requests >= replica.max_ongoing_requests:
            self._dispatcher.fill(replica_id.unique_id, num_ongoing_requests, time.monotonic())

    def on_request_routed(
        self, pending_request: PendingRequest, replica_id: ReplicaID, result: ReplicaResult
    ) -> None:
        """Note that a replica has accepted a request."""
        del replica_id, result
        self._dispatcher.accept(pending_request.metadata.internal_request_id)

    def on_request_completed(self, replica_id: ReplicaID, internal_request_id: str) -> None:
        """Give the replica the next request, once it is known that this one was not refused."""
        end = partial(self._end, internal_request_id, replica_id.unique_id)
        if answer := self._dispatcher.answer(internal_request_id):
            loop = asyncio.get_running_loop()
            answer.when_run(partial(loop.call_soon_threadsafe, end))  # a handle has its own loop
        else:
            end()

    def _end(self, task: str, replica: str) -> None:
        self._dispatcher.end(task, replica)
        self._dispatch()

    async def _choice(self, pending: PendingRequest) -> ReplicaID:
        """Wait until a request has a replica; it may have had one before, which was full."""
        task = pending.metadata.internal_request_id
        request: RoutingRequest = pending.args[REQUEST]
        if self._dispatcher.knows(task):
            self._dispatcher.put_back(task, time.monotonic())
        else:
            self._dispatcher.add(task, request, time.monotonic())
        chosen = self._chosen[task] = asyncio.get_running_loop().create_future()
        self._requests[task] = pending
        self._dispatch()
        try:
            return await chosen
        except asyncio.CancelledError:
            self._dispatcher.remove(task)
            raise
        finally:
            del self._chosen[task], self._requests[task]

    def _follow(self) -> None:
        replicas = {replica.unique_id: each for replica, each in self.curr_replicas.items()}
        self._ids = {replica.unique_id: replica for replica in self.curr_replicas}
        self._dispatcher.follow(
            {name: replica.max_ongoing_requests for name, replica in replicas.items()},
            {
                name: Told(stats[FILES], stats[CHANGES], stats[ROUTERS])
                for name, replica in replicas.items()
                if (stats := replica.routing_stats)
            },
            time.monotonic(),
        )
        self._dispatch()

    def _dispatch(self) -> None:
        """Give the replicas what is to go now; look again when time changes that."""
        now = time.monotonic()
        for sending in self._dispatcher.sendings(now):
            self._requests[sending.task].args[REQUEST] = sending.request
            self._chosen[sending.task].set_result(self._ids[sending.replica])
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if (moment := self._dispatcher.changes(now)) < math.inf:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(moment - now, self._dispatch)
