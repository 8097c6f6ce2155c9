"""Renewal turns that all replicas of a Serve deployment share, by an actor of Ray."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import ray
from ray.exceptions import RayError

from deployments.renewal_turns import MemoryTurns, RenewalTurns

log = logging.getLogger("ray.serve.atelier.replica")

_ASK_SECONDS = 5.0


class SharedTurns(RenewalTurns):
    """The turns of a deployment's replicas, kept by an actor that the first who needs it makes.

    Without the actor (its node may just be gone) nobody has a turn, and no start is delayed. A call
    takes 5 s at most.
    """

    def __init__(self, name: str, resources: Mapping[str, float]) -> None:
        self.name = f"atelier-turns-{name}"
        self.resources = dict(resources)

    async def take(self, replica: str) -> bool:
        return await self._ask("take", replica) is True

    async def give_back(self, replica: str) -> None:
        await self._ask("give_back", replica)

    async def note_failure(self) -> None:
        await self._ask("note_failure")

    async def start_delay(self) -> float:
        # Looked for, not made: as long as nothing has failed, no start need wait for an actor.
        if await asyncio.to_thread(self._find_actor) is None:
            return 0.0
        return float(await self._ask("start_delay") or 0.0)

    async def _ask(self, method: str, *args: str) -> Any:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                # In a thread: for an actor's name Ray asks its head node and blocks meanwhile.
                actor = await asyncio.to_thread(self._make_actor)
                return await getattr(actor, method).remote(*args)
        except (RayError, TimeoutError) as exc:
            log.warning("turns_unavailable", extra={"why": type(exc).__name__})
            return None

    def _make_actor(self) -> Any:
        """Return the actor, made if there is none yet."""
        # Detached: else it ends with the replica that made it, often the one that just failed.
        # No CPU of its own: it must start on a node that replicas fill.
        options = {"lifetime": "detached", "get_if_exists": True, "num_cpus": 0}
        actor = ray.remote(MemoryTurns).options(
            name=self.name, namespace="atelier", resources=self.resources, **options
        )
        return actor.remote()

    def _find_actor(self) -> Any:
        try:
            return ray.get_actor(self.name, namespace="atelier")
        except ValueError:  # how Ray says that there is none
            return None
