"""Replacement of ingest by a newer version, told from the end of its application or its node."""

import asyncio
import logging

import ray
from ray import serve
from ray.serve.schema import ApplicationStatus

from deployments.departure_signs import seconds_of_node

log = logging.getLogger("ray.serve.atelier.ingest")

_ANSWER_SECONDS = 5


async def is_replaced(application: str) -> bool:
    """Tell whether the application and this node stay while this replica goes.

    False where nobody answers within five seconds, or not well.
    """
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await asyncio.to_thread(_stays, application)
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is not known to stay
        log.warning("replacement_unknown", extra={"why": repr(exc)})
        return False


def _stays(application: str) -> bool:
    found = serve.status().applications.get(application)
    if found is None or found.status is ApplicationStatus.DELETING:
        return False
    return seconds_of_node(ray.get_runtime_context().get_node_id()) is None
