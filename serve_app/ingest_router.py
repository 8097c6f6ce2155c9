"""Router of calls to ingest, of which each replica has a board of its own: every call names one."""

import asyncio
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from ray.serve.exceptions import RayServeException
from ray.serve.request_router import (
    PendingRequest,
    ReplicaID,
    RequestRouter,
    RunningReplica,
)


class Presence:
    """Names of the replicas that run, as the router of this process knows them."""

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    def update(self, names: Collection[str]) -> None:
        """Take the names of those that run now; may be called in any thread."""
        if self.names != (names := frozenset(names)):
            self.names = names
            for event, loop in self._waiting.items():
                loop.call_soon_threadsafe(event.set)

    async def change(self, known: Collection[str]) -> None:
        """Wait, without a deadline, until the names are not the known ones."""
        changed = asyncio.Event()
        self._waiting[changed] = asyncio.get_running_loop()
        try:
            while self.names == frozenset(known):
                changed.clear()
                await changed.wait()
        finally:
            del self._waiting[changed]


_PRESENT: dict[Any, Presence] = defaultdict(Presence)


def presence(deployment_id: Any) -> Presence:
    """Return which replicas of a deployment run; none before its handle knows them."""
    return _PRESENT[deployment_id]


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
