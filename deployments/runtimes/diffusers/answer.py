"""Answers in the Web UI's shape: ``parameters``, ``info`` and each picture's own text."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deployments.adapter import Answer, Artifact
from deployments.runtimes.diffusers.noise import Seeds
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
    seeds: tuple[Seeds, ...]
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
            "image_seed": ",".join(str(each.seed) for each in self.seeds),
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
            ("Seed", self.seeds[index].seed),
            ("Size", f"{width}x{height}"),
            ("Model", self.checkpoint),
        ]
        if isinstance(request, ImageToImage) or request.enable_hr:
            settings.append(("Denoising strength", request.denoising_strength))
        if request.enable_hr:
            settings.append(("Hires upscale", request.hr_scale))
            settings.append(("Hires upscaler", request.hr_upscaler))
            settings += [(key, value) for key, value in self._second_pass() if value]
        if isinstance(request, ImageToImage) and request.mask:
            settings.append(("Mask blur", " x ".join(map(str, dict.fromkeys(request.feather)))))
        if request.subseed_strength:
            settings.append(("Variation seed", self.seeds[index].variation))
            settings.append(("Variation seed strength", request.subseed_strength))
        if request.layers_skipped > 1:
            settings.append(("Clip skip", request.layers_skipped))
        if request.override_settings.eta_noise_seed_delta:
            settings.append(("ENSD", request.override_settings.eta_noise_seed_delta))
        return [*settings, ("Version", VERSION)]

    def _second_pass(self) -> list[tuple[str, Any]]:
        """List what the second pass has of its own."""
        request = self.request
        return [
            ("Hires steps", request.hr_second_pass_steps),
            ("Hires sampler", request.hr_sampler_name),
            ("Hires schedule type", request.hr_scheduler),
            ("Hires CFG Scale", request.hr_cfg),
            ("Hires checkpoint", request.hr_checkpoint_name),
            ("Hires prompt", _quoted(request.hr_prompt)),
            ("Hires negative prompt", _quoted(request.hr_negative_prompt)),
        ]

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
            "seed": self.seeds[0].seed,
            "all_seeds": [each.seed for each in self.seeds],
            "subseed": self.seeds[0].variation,
            "all_subseeds": [each.variation for each in self.seeds],
            "subseed_strength": request.subseed_strength,
            "width": self.size[0],
            "height": self.size[1],
            "sampler_name": sampler.name,
            "scheduler": sampler.schedule,
            "cfg_scale": request.cfg_scale,
            "steps": request.steps,
            "batch_size": request.batch_size,
            "sd_model_name": self.checkpoint,
            "denoising_strength": strength if second_pass else None,
            "clip_skip": request.layers_skipped,
            "extra_generation_params": {},
            "index_of_first_image": 0,  # a grid, if there were one, would come before
            "infotexts": [self.infotext(index) for index in range(count)],
            "styles": list(filter(None, request.styles)),
            "job_timestamp": self.began.strftime("%Y%m%d%H%M%S"),
            "is_using_inpainting_conditioning": False,
            "version": VERSION,
        }


def _quoted(text: str) -> str:
    """Write a text as a value among others: commas and colons in it end nothing."""
    return strict_json.written(text) if text else ""


def extra_answer(id_: str, artifacts: Sequence[Artifact], *, batch: bool) -> Answer:
    """Make the answer that the Web UI gives to its extra requests."""
    images: dict[str, Any] = {"images": list(artifacts)} if batch else {"image": artifacts[0]}
    parameters = {"html_info": "", "id_task": id_, "error_msg": ""}
    return Answer(body={"html_info": "", **images, "parameters": parameters})
