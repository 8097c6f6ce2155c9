"""Progress of a generation: asked for by its own name, or of the server as a whole."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployments.runtimes.sdwebui.pictures import small_jpeg
from deployments.runtimes.sdwebui.server import API, Server
from models.errors import TaskError
from models.report import Progress

TASK_PROGRESS = "/internal/progress"
"""Path that knows a generation by its ``force_task_id``; only servers with a web page have it."""
TOTAL = 100  # the server tells a share, and only late the number of steps


@dataclass
class ProgressPoller:
    """Polls the progress of one generation; what it returns only rises."""

    server: Server
    name: str | None
    """Name of the generation, if the server knows it by one."""
    preview_every: float
    """Seconds between previews; 0: none."""
    _newest_step: int = -1
    _preview_due: float = 0
    _newest_preview: int = -1
    """Server's number of the newest preview that it gave."""

    async def poll(self) -> Progress | None:
        """Ask the server for progress; None if there is no more, or the server does not tell."""
        due = asyncio.get_running_loop().time() >= self._preview_due
        try:
            answer = await self._ask(preview=due and self.preview_every > 0)
        except TaskError:
            return None  # the generation's own end tells what is wrong
        if answer.get("active") is answer.get("queued") is answer.get("completed") is False:
            self.name = None  # older than `force_task_id`: it knows no generation by a name
        share = _share(answer)
        # The last step is told by the adapter, once the picture is there.
        step = -1 if share is None else min(TOTAL - 1, int(share * TOTAL))
        if step <= self._newest_step:
            return None
        self._newest_step = step
        return Progress(step=step, of=TOTAL, preview=await self._preview(answer))

    async def _ask(self, *, preview: bool) -> Mapping[str, Any]:
        if self.name is None:
            skip = "false" if preview else "true"  # a picture costs the server time
            answer = await self.server.get(f"{API}/progress?skip_current_image={skip}")
        else:
            body = {
                "id_task": self.name,
                "live_preview": preview,
                "id_live_preview": self._newest_preview,
            }
            answer = await self.server.post(TASK_PROGRESS, body, quick=True)
        return answer if isinstance(answer, dict) else {}

    async def _preview(self, answer: Mapping[str, Any]) -> bytes | None:
        match answer:
            case {"live_preview": str(picture), "id_live_preview": int(number)}:
                self._newest_preview = number
            case {"current_image": str(picture)}:
                pass
            case _:
                return None
        self._preview_due = asyncio.get_running_loop().time() + self.preview_every
        return await asyncio.to_thread(small_jpeg, picture)


def _share(answer: Mapping[str, Any]) -> float | None:
    match answer:
        case {"state": {"job_count": int(jobs), "job_no": int(job), "sampling_step": int(step)}}:
            # Not the server's own share: before the first step it counts the steps of the job
            # before.
            steps = answer["state"].get("sampling_steps") or step
            return (job + (min(1.0, step / steps) if step else 0)) / jobs if jobs > 0 else None
        case {"progress": int() | float() as share, "active": True}:
            return float(share)
    return None
