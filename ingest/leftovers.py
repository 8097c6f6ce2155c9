"""Leftovers: objects that the runs of a cancelled task stored, of which nobody is told."""

import asyncio
import logging
import re
from dataclasses import dataclass

from models.errors import Unavailable
from models.ports import Objects
from models.task import Task

log = logging.getLogger("ray.serve.atelier.ingest")

_LANDING_SECONDS = 1.0
"""Seconds in which what a stopped run was storing lands, or never does."""
_SECONDS = 10.0
_ENDING = re.compile(r"\.out|-\d+\.\w+")
"""End of the names of an answer and of an artifact."""


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """Removes what the runs of cancelled tasks have stored."""

    objects: Objects
    output: str
    """``s3://`` URI of the bucket of artifacts."""

    async def remove(self, task: Task, *, just_ran: bool) -> None:
        """Remove the objects of a cancelled task within ten seconds; say where that fails.

        The ledger takes no other end of it any more, so they are nobody's. Where it ``just_ran``,
        a second is left for what was being stored.
        """
        try:
            async with asyncio.timeout(_SECONDS):
                if just_ran:
                    await asyncio.sleep(_LANDING_SECONDS)
                await self._remove(f"{self.output}/{task.stem}")
        except (Unavailable, TimeoutError) as exc:
            fields = {**task.log_context(), "stem": task.stem, "why": str(exc) or "it took long"}
            log.warning("artifacts_left", extra=fields)

    async def _remove(self, stem: str) -> None:
        # Another task's folder may begin with the same text.
        uris = [
            uri
            for uri in await self.objects.list(stem)
            if _ENDING.fullmatch(uri.removeprefix(stem))
        ]
        await asyncio.gather(*map(self.objects.delete, uris))
