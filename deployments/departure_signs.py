"""Signs of a replica's departure, from the supply that is told and from Ray's nodes."""

import asyncio
import time

import ray
from ray.experimental.internal_kv import internal_kv_get_gcs_client

from deployments.departure import Signs
from models.live import FleetStore

_SECONDS = 2
_STALE_SECONDS = 5.0


class RaySigns:
    """Signs for one replica, called on its node.

    ``name``: its name in the supply of ``runtime``. A supply counts while its beat changes, so that
    no replica goes because nobody decides any more.
    """

    def __init__(self, name: str, runtime: str, store: FleetStore) -> None:
        self._name = name
        self._runtime = runtime
        self._store = store
        self._node = ray.get_runtime_context().get_node_id()
        self._beat: int | None = None
        self._changed = 0.0

    async def __call__(self) -> Signs:
        """Look for signs.

        Raises:
            RayError: Ray does not answer within some seconds.
            Unavailable: the store does not answer.
        """
        node_seconds = await asyncio.to_thread(seconds_of_node, self._node)
        return Signs(listed=await self._listed(), node_seconds=node_seconds)

    async def _listed(self) -> bool | None:
        supply, now = await self._store.supply(self._runtime), time.monotonic()
        if supply is None:
            return None
        if supply.beat != self._beat:
            self._beat, self._changed = supply.beat, now
        return self._name in supply.running if now - self._changed < _STALE_SECONDS else None


def seconds_of_node(node: str) -> float | None:
    """Return the seconds until a node is gone, infinite if nobody knows; None: it stays.

    ``node``: its id in hex digits. Blocks for two seconds at most.

    Raises:
        RayError: Ray does not answer within them.
    """
    deadlines = internal_kv_get_gcs_client().get_draining_nodes(timeout=_SECONDS)
    deadline = deadlines.get(node)  # milliseconds since 1970; 0: there is none
    if deadline is None:
        return None
    return deadline / 1000 - time.time() if deadline else float("inf")
