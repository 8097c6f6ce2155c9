"""Watch of a runtime's starts: what Serve and Ray's autoscaler tell of them."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any

import ray
from ray.core.generated.autoscaler_pb2 import GetClusterStatusReply
from ray.experimental.internal_kv import internal_kv_get_gcs_client

from deployments.autoscaling.start_state import Nodes, StartState, judged, to_drop

log = logging.getLogger("ray.serve.atelier.autoscaler")

_SECONDS = 2
_SERVE = "serve"
"""Namespace of Serve's own actors."""


class StartWatch:
    """Watches the starting replicas of a runtime's deployment."""

    def __init__(self, application: str, runtime: str) -> None:
        self._application = application
        self._runtime = runtime
        self._waiting: set[str] = set()
        """Names of the actors of replicas that no node had room for at the last look."""

    async def look(self) -> StartState:
        """Look at the starts, which takes 10 ms; drop replicas that wait and are not wanted.

        Raises:
            RayError: Ray does not answer within some seconds.
        """
        return await asyncio.get_running_loop().run_in_executor(_threads(), self._look)

    def _look(self) -> StartState:
        controller = ray.get_actor("SERVE_CONTROLLER_ACTOR", namespace=_SERVE)
        details = ray.get(controller.get_serve_instance_details.remote(), timeout=_SECONDS)
        application = details["applications"].get(self._application, {})
        found = application.get("deployments", {}).get(self._runtime)
        if found is None:
            return StartState()
        self._drop_waiting(found["replicas"])
        return judged(found, _nodes(self._runtime, found["required_resources"]), time.time())

    def _drop_waiting(self, replicas: Sequence[Mapping[str, Any]]) -> None:
        """End the replicas that are to stop and were never on a node.

        Serve asks them to and waits as long as for one that ends its pictures; meanwhile Ray's
        autoscaler would start a node for them.
        """
        dropped, self._waiting = to_drop(replicas, self._waiting)
        for name in dropped:
            log.info("waiting_replica_dropped", extra={"replica": name})
            with suppress(ValueError):  # how Ray says that there is none any more
                ray.kill(ray.get_actor(name, namespace=_SERVE))


def _nodes(runtime: str, needed: Mapping[str, float]) -> Nodes:
    """Ask Ray's autoscaler about nodes for a replica that needs these resources."""
    text = internal_kv_get_gcs_client().get_cluster_status(timeout_s=_SECONDS)
    status = GetClusterStatusReply.FromString(text)
    state, demand = status.autoscaling_state, status.cluster_resource_state
    failed = _own(runtime, state.failed_instance_requests)
    return Nodes(
        waits=any(_is(one.request, needed) for one in demand.pending_resource_requests),
        autoscaled=state.autoscaler_state_version > 0,
        exhausted=any(_is(one, needed) for one in state.infeasible_resource_requests),
        requested=[one.request_ts for one in _own(runtime, state.pending_instance_requests)],
        failures={one.failed_ts: one.reason for one in failed},
    )


def _is(request: Any, needed: Mapping[str, float]) -> bool:
    """Tell whether a request of Ray's asks for what a replica needs."""
    return {k: v for k, v in request.resources_bundle.items() if v} == {
        k: v for k, v in needed.items() if v
    }


def _own(runtime: str, requests: Sequence[Any]) -> Sequence[Any]:
    """Return those for the runtime's own groups of nodes; all, where no group is named after it."""
    own = [one for one in requests if one.ray_node_type_name.startswith(f"{runtime}-")]
    return own or requests


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="start-watch")
