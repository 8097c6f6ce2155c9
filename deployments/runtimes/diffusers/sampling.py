"""The way from noise to a picture, one object a picture, and one UNet call a step for all of them.

Each picture has its own scheduler, noise and guidance, so pictures of one size can join and leave
the batch at any step.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from deployments.runtimes.diffusers.encode import Condition
from deployments.runtimes.diffusers.pipeline import Pipeline
from deployments.runtimes.diffusers.samplers import Sampler
from models.errors import TaskFailed

_MOST_OF_THE_WAY = 0.999
_DISTILLED_STEPS = 50


@dataclass(frozen=True, eq=False)
class Guidance:
    """What the picture shall show, what it shall not, and how strictly."""

    positive: Condition
    negative: Condition
    scale: float

    @property
    def conditions(self) -> list[Condition]:
        return [self.positive] if self.scale == 1 else [self.negative, self.positive]

    def guided(self, predictions: torch.Tensor) -> torch.Tensor:
        if self.scale == 1:
            return predictions
        without, with_ = predictions.chunk(2)
        return without + self.scale * (with_ - without)


@dataclass(frozen=True, eq=False)
class Start:
    """What a picture starts from, other than noise alone."""

    latents: torch.Tensor
    strength: float
    """How much of the way is gone again, 0 to 1."""
    mask: torch.Tensor | None = None
    """1 where to paint; elsewhere the start is kept."""
    kept: torch.Tensor | None = None
    """What is kept there, if not the start itself."""


class Sampling:
    """One picture on its way; `tick` brings it a step further."""

    def __init__(
        self,
        *,
        guidance: Guidance,
        sampler: Sampler,
        schedule: Any,
        steps: int,
        seed: int,
        shape: tuple[int, int, int],
        device: torch.device,
        start: Start | None = None,
    ) -> None:
        self.guidance = guidance
        self.scheduler = sampler.scheduler(schedule, seed)
        generator = torch.Generator("cpu").manual_seed(seed)
        takes_noise = "generator" in inspect.signature(self.scheduler.step).parameters
        self._noise_source = {"generator": generator} if takes_noise else {}
        # Noise is made on the CPU, where a seed means the same on every machine.
        self._noise = torch.randn((1, *shape), generator=generator).to(device)
        self._start = start
        self._timesteps = self._plan(steps, device)
        self._done = 0
        self.latents = self._first()
        self._asked: torch.Tensor
        self._answer: torch.Tensor

    @property
    def steps(self) -> int:
        """Steps of the whole way, in calls of the UNet."""
        return len(self._timesteps)

    @property
    def finished(self) -> bool:
        return self._done >= self.steps

    @property
    def timestep(self) -> torch.Tensor:
        return self._timesteps[self._done]

    def question(self) -> torch.Tensor:
        """What the UNet is asked: the latents, once for each condition."""
        self._asked = self.scheduler.scale_model_input(self.latents, self.timestep)
        return self._asked.expand(len(self.guidance.conditions), -1, -1, -1)

    def take(self, predictions: torch.Tensor) -> None:
        """Go one step with the UNet's answer."""
        self._answer = self.guidance.guided(predictions.float())
        stepped = self.scheduler.step(
            self._answer, self.timestep, self.latents, **self._noise_source
        )
        self._done += 1
        self.latents = self._masked(stepped.prev_sample)
        if self.finished and not torch.isfinite(self.latents).all():
            raise TaskFailed("the picture came out as no numbers (NaN): the checkpoint is broken")

    def expected(self) -> torch.Tensor:
        """The latents without noise, as the last answer foretells them.

        Whatever space a scheduler steps in, it asks the UNet in the one that the UNet was trained
        in, where the timestep alone says how much is signal and how much is noise.
        """
        timestep = int(self._timesteps[self._done - 1].round())
        kept: torch.Tensor = self.scheduler.alphas_cumprod[timestep]
        signal, noise = kept.sqrt(), (1 - kept).sqrt()
        match self.scheduler.config.prediction_type:
            case "epsilon":
                return (self._asked - noise * self._answer) / signal
            case "v_prediction":
                return signal * self._asked - noise * self._answer
            case _:
                return self._answer

    def _plan(self, steps: int, device: torch.device) -> torch.Tensor:
        if "original_inference_steps" in inspect.signature(self.scheduler.set_timesteps).parameters:
            most = max(steps, _DISTILLED_STEPS)
            self.scheduler.set_timesteps(steps, device=device, original_inference_steps=most)
        else:
            self.scheduler.set_timesteps(steps, device=device)
        skipped = self._skipped(steps) * self.scheduler.order
        if hasattr(self.scheduler, "set_begin_index"):
            self.scheduler.set_begin_index(skipped)
        plan: torch.Tensor = self.scheduler.timesteps[skipped:]
        return plan

    def _skipped(self, steps: int) -> int:
        """Steps left out at the start: those that the first picture is ahead, as in the Web UI."""
        if self._start is None:
            return 0
        return steps - 1 - int(min(self._start.strength, _MOST_OF_THE_WAY) * steps)

    def _first(self) -> torch.Tensor:
        if self._start is None:
            first: torch.Tensor = self._noise * self.scheduler.init_noise_sigma
            return first
        return self._noised(self._start.latents, self._timesteps[:1])

    def _masked(self, latents: torch.Tensor) -> torch.Tensor:
        if self._start is None or self._start.mask is None:
            return latents
        mask = self._start.mask
        kept = self._start.latents if self._start.kept is None else self._start.kept
        if not self.finished:
            kept = self._noised(kept, self._timesteps[self._done : self._done + 1])
        return mask * latents + (1 - mask) * kept

    def _noised(self, latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        noised: torch.Tensor = self.scheduler.add_noise(latents, self._noise, timestep)
        return noised


@torch.inference_mode()
def tick(pipeline: Pipeline, running: Sequence[Sampling]) -> None:
    """Bring each picture one step further, with one call of the UNet for all."""
    questions = [sampling.question() for sampling in running]
    counts = [len(question) for question in questions]
    times = [
        sampling.timestep.float().expand(n) for sampling, n in zip(running, counts, strict=True)
    ]
    conditions = [one for sampling in running for one in sampling.guidance.conditions]
    answers = _unet(pipeline, torch.cat(questions), torch.cat(times), conditions)
    for sampling, answer in zip(running, torch.split(answers, counts), strict=True):
        sampling.take(answer)


def _unet(
    pipeline: Pipeline,
    latents: torch.Tensor,
    times: torch.Tensor,
    conditions: Sequence[Condition],
) -> torch.Tensor:
    dtype = pipeline.unet.dtype
    words = torch.cat([condition.words for condition in conditions]).to(dtype)
    added = {"added_cond_kwargs": _sizes(pipeline, latents, conditions)} if pipeline.is_sdxl else {}
    answer = pipeline.unet(latents.to(dtype), times, encoder_hidden_states=words, **added)
    sample: torch.Tensor = answer.sample
    return sample


def _sizes(
    pipeline: Pipeline, latents: torch.Tensor, conditions: Sequence[Condition]
) -> dict[str, torch.Tensor]:
    """SDXL's further conditions: the pooled text, and the sizes of picture, crop and target."""
    height, width = (side * pipeline.factor for side in latents.shape[-2:])
    sizes = latents.new_tensor([[height, width, 0, 0, height, width]]).expand(len(conditions), -1)
    pooled = [condition.pooled for condition in conditions if condition.pooled is not None]
    return {"text_embeds": torch.cat(pooled).to(pipeline.unet.dtype), "time_ids": sizes}
