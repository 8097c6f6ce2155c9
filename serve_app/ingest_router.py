"""Router of calls to ingest, of which each replica has a board of its own: every call names one.

Serve carries the router's class to whoever calls by value, and what it imports by name.
"""

import asyncio

from ray.serve.exceptions import RayServeException
from ray.serve.request_router import (
    PendingRequest,
    ReplicaID,
    RequestRouter,
    RunningReplica,
)

from serve_app.presence import presence

_RETRY_SECONDS = 0.1


class IngestRouter(RequestRouter):  # type: ignore[misc] # Any
    """Sends each call to the replica that its session id names, and refuses it if that is gone.

    The request is fulfilled right here. Serve's own way looks it up by an id that all calls of one
    HTTP request share, and would let calls to one that is gone keep others waiting.
    """

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """Give the request its replica; return all, among which Serve needs no longer choose."""
        if pending_request is not None and not pending_request.future.done():
            context = pending_request.routing_context
            if context.should_backoff:  # it was here before: the replica is full, or out of reach
                await asyncio.sleep(_RETRY_SECONDS)
            context.should_backoff = True
            self._remove_pending_request_from_indices(pending_request)
            name = pending_request.metadata.session_id
            named = [each for each in candidate_replicas if each.replica_id.unique_id == name]
            if named:
                pending_request.future.set_result(named[0])
            else:
                pending_request.future.set_exception(RayServeException(f"no replica {name}"))
        return [candidate_replicas]

    def update_replicas(self, replicas: list[RunningReplica]) -> None:
        """Take the replicas that there are; one that drains is not among them."""
        super().update_replicas(replicas)
        self._tell()

    def on_replica_actor_died(self, replica_id: ReplicaID) -> None:
        """Forget a replica that is gone."""
        super().on_replica_actor_died(replica_id)
        self._tell()

    def _tell(self) -> None:
        names = [replica_id.unique_id for replica_id in self.curr_replicas]
        presence(self._deployment_id).update(names)
