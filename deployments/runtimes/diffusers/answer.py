"""Answers in the Web UI's shape: ``parameters``, ``info`` and each picture's own text."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deployments.adapter import Answer, Artifact
from deployments.runtimes.diffusers.samplers import sampler_of
from models import strict_json
from models.runtimes.diffusers.generation_requests import ImageToImage, TextToImage

VERSION = "atelier diffusers"


@dataclass(frozen=True, kw_only=True)
class Infotext:
    """Facts of a generation, from which its answer and its pictures' descriptions are made."""

    id: str
    request: TextToImage
    checkpoint: str
    seeds: tuple[int, ...]
    size: tuple[int, int]
    """Width and height in pixels."""
    began: datetime

    def infotext(self, index: int) -> str:
        """Describe a picture as the Web UI's "PNG info" reads it back."""
        request = self.request
        lines = [request.prompt]
        if request.negative_prompt:
            lines.append(f"Negative prompt: {request.negative_prompt}")
        lines.append(", ".join(f"{key}: {value}" for key, value in self._settings(index)))
        return "\n".join(lines)

    def answer(self, artifacts: Sequence[Artifact]) -> Answer:
        """Make the answer of text-to-image or image-to-image."""
        parameters = self.request.echo | {
            "width": self.size[0],
            "height": self.size[1],
            "id_task": self.id,
            "image_seed": ",".join(str(seed) for seed in self.seeds),
            "error_msg": "",
        }
        return Answer(
            body={
                "images": list(artifacts),
                "parameters": parameters,
                "info": strict_json.written(self._info()),
            }
        )

    def _settings(self, index: int) -> list[tuple[str, Any]]:
        request = self.request
        sampler, (width, height) = sampler_of(request), self.size
        settings: list[tuple[str, Any]] = [
            ("Steps", request.steps),
            ("Sampler", sampler.name),
            ("Schedule type", sampler.schedule),
            ("CFG scale", request.cfg_scale),
            ("Seed", self.seeds[index]),
            ("Size", f"{width}x{height}"),
            ("Model", self.checkpoint),
        ]
        if isinstance(request, ImageToImage) or request.enable_hr:
            settings.append(("Denoising strength", request.denoising_strength))
        if request.enable_hr:
            settings.append(("Hires upscale", request.hr_scale))
            settings.append(("Hires upscaler", request.hr_upscaler))
        if isinstance(request, ImageToImage) and request.mask:
            settings.append(("Mask blur", request.mask_blur))
        if request.override_settings.CLIP_stop_at_last_layers > 1:
            settings.append(("Clip skip", request.override_settings.CLIP_stop_at_last_layers))
        return [*settings, ("Version", VERSION)]

    def _info(self) -> dict[str, Any]:
        request, count = self.request, len(self.seeds)
        sampler = sampler_of(request)
        strength = request.denoising_strength
        second_pass = isinstance(request, ImageToImage) or request.enable_hr
        return {
            "prompt": request.prompt,
            "all_prompts": [request.prompt] * count,
            "negative_prompt": request.negative_prompt,
            "all_negative_prompts": [request.negative_prompt] * count,
            "seed": self.seeds[0],
            "all_seeds": list(self.seeds),
            "subseed": 0,
            "all_subseeds": [0] * count,
            "subseed_strength": 0,
            "width": self.size[0],
            "height": self.size[1],
            "sampler_name": sampler.name,
            "scheduler": sampler.schedule,
            "cfg_scale": request.cfg_scale,
            "steps": request.steps,
            "batch_size": request.batch_size,
            "sd_model_name": self.checkpoint,
            "denoising_strength": strength if second_pass else None,
            "clip_skip": request.override_settings.CLIP_stop_at_last_layers,
            "extra_generation_params": {},
            "index_of_first_image": 0,  # a grid, if there were one, would come before
            "infotexts": [self.infotext(index) for index in range(count)],
            "styles": [],
            "job_timestamp": self.began.strftime("%Y%m%d%H%M%S"),
            "is_using_inpainting_conditioning": False,
            "version": VERSION,
        }


def extra_answer(id_: str, artifacts: Sequence[Artifact], *, batch: bool) -> Answer:
    """Make the answer that the Web UI gives to its extra requests."""
    images: dict[str, Any] = {"images": list(artifacts)} if batch else {"image": artifacts[0]}
    parameters = {"html_info": "", "id_task": id_, "error_msg": ""}
    return Answer(body={"html_info": "", **images, "parameters": parameters})
