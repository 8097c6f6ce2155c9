"""How far a generation is: asked for by its own name, or of the server as a whole."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployments.runtimes.sdwebui.pictures import small
from deployments.runtimes.sdwebui.server import API, Server
from models.errors import TaskError
from models.progress import Progress

OWN = "/internal/progress"
"""Knows a generation by its ``force_task_id``; only a server with its web page has it."""
WHOLE = 100  # the server tells a share, and knows late how many steps it is a share of


@dataclass
class ProgressPoller:
    """Looks at one generation; what it tells only rises."""

    server: Server
    name: str | None
    """The generation's name, where the server knows it by one."""
    preview_every: float
    _said: int = -1
    _preview_due: float = 0
    _newest: int = -1
    """The server's number of the newest preview that it gave."""

    async def poll(self) -> Progress | None:
        """What is new; None where nothing is, or the server does not say."""
        due = asyncio.get_running_loop().time() >= self._preview_due
        try:
            told = await self._asked(preview=due and self.preview_every > 0)
        except TaskError:
            return None  # progress is a courtesy; how the generation ends says the rest
        if told.get("active") is told.get("queued") is told.get("completed") is False:
            self.name = None  # it knows no name: a server from before `force_task_id`
        share = _share(told)
        step = -1 if share is None else min(WHOLE - 1, int(share * WHOLE))
        if step <= self._said:
            return None
        self._said = step
        return Progress(step=step, of=WHOLE, preview=await self._preview(told))

    async def _asked(self, *, preview: bool) -> Mapping[str, Any]:
        if self.name is None:
            skip = "false" if preview else "true"
            told = await self.server.get(f"{API}/progress?skip_current_image={skip}")
        else:
            body = {"id_task": self.name, "live_preview": preview, "id_live_preview": self._newest}
            told = await self.server.post(OWN, body, quick=True)
        return told if isinstance(told, dict) else {}

    async def _preview(self, told: Mapping[str, Any]) -> bytes | None:
        match told:
            case {"live_preview": str(picture), "id_live_preview": int(number)}:
                self._newest = number
            case {"current_image": str(picture)}:
                pass
            case _:
                return None
        self._preview_due = asyncio.get_running_loop().time() + self.preview_every
        return await asyncio.to_thread(small, picture)


def _share(told: Mapping[str, Any]) -> float | None:
    match told:
        case {"state": {"job_count": int(jobs), "job_no": int(job), "sampling_step": int(step)}}:
            # Not the server's own number: before the first step it counts with the steps of the
            # job before.
            of = told["state"].get("sampling_steps") or step
            return (job + (min(1.0, step / of) if step else 0)) / jobs if jobs > 0 else None
        case {"progress": int() | float() as share, "active": True}:
            return float(share)
    return None
