"""The same endpoints over our own diffusers runtime, so that real pictures come by real HTTP."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException

from deployments.adapter import Adapter, Answer, Artifact
from models.errors import TaskFailed
from models.report import Progress
from models.runtimes.diffusers.samplers import SAMPLERS, SCHEDULES
from models.task import Kind, Task
from tests.runtimes.sdwebui.double import Body, WebUi

KINDS = {
    "txt2img": Kind.TEXT_TO_IMAGE,
    "img2img": Kind.IMAGE_TO_IMAGE,
    "extra-single-image": Kind.EXTRA_SINGLE_IMAGE,
    "extra-batch-images": Kind.EXTRA_BATCH_IMAGES,
}


@dataclass
class Ours(WebUi):
    """Server that draws with an adapter."""

    adapter: Adapter | None = None

    @classmethod
    def over(cls, adapter: Adapter, checkpoint: str) -> "Ours":
        return cls(
            adapter=adapter,
            disk=[checkpoint],
            samplers=dict.fromkeys(SAMPLERS, ()),
            schedulers={name.lower().replace(" ", "_"): name for name in SCHEDULES},
            upscalers=("None", "Lanczos", "4x-shapes"),
        )

    async def draw(self, name: str, body: Body) -> tuple[list[str], Body]:
        images, answer = await self._drawn(name, body)
        return images, json.loads(answer["info"])

    async def enlarge(self, name: str, body: Body) -> list[str]:
        images, _ = await self._drawn(name, body)
        return images

    async def _drawn(self, name: str, body: Body) -> tuple[list[str], Any]:
        assert self.adapter
        task = Task(submission="s", id="t", runtime="ours", kind=KINDS[name], content=body)
        images, answer = [], None
        try:
            await self.adapter.load(task)
            async for step in self.adapter.run(task, {}):
                match step:
                    case Progress():
                        self.state.job_count, self.state.sampling_steps = 1, step.of
                        self.state.sampling_step = step.step
                    case Artifact():
                        images.append(base64.b64encode(step.data).decode())
                    case Answer():
                        answer = step.body
        except TaskFailed as exc:
            raise HTTPException(422, str(exc)) from exc
        return images, answer
