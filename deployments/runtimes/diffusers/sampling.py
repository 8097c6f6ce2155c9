"""Sampling of pictures from noise, an object for each picture, and one UNet call a step for all.

Each picture has its own scheduler, noise and guidance, so pictures of one size can join and leave
the batch at any step.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from deployments.runtimes.diffusers.encode import Condition
from deployments.runtimes.diffusers.noise import Seeds
from deployments.runtimes.diffusers.pipeline import Pipeline
from deployments.runtimes.diffusers.samplers import Sampler
from models.errors import TaskFailed

_MOST_STRENGTH = 0.999  # as in the Web UI, which takes one step more than this share
_MOST_STEPS = 999  # a schedule that was trained in 1000 has no more
_DISTILLED_STEPS = 50  # as LCM and TCD have it, which refuse to take more than these


@dataclass(frozen=True, eq=False)
class Timed:
    """Conditions one after another, with the weight of their part of the prompt."""

    conditions: tuple[tuple[int, Condition], ...]
    """Conditions, each with the last call of the UNet (from 0) in which it counts."""
    weight: float = 1.0

    @classmethod
    def always(cls, condition: Condition) -> "Timed":
        """Make a condition count in all calls."""
        return cls(((0, condition),))

    def at(self, call: int) -> Condition:
        """Return the condition of a call; the last one also counts in all that follow."""
        found = (condition for last, condition in self.conditions if call <= last)
        return next(found, self.conditions[-1][1])


@dataclass(frozen=True, eq=False)
class Guidance:
    """Classifier-free guidance: what the picture shall show, what it shall not, how strictly."""

    positive: tuple[Timed, ...]
    """Parts of the prompt, which add up."""
    negative: Timed
    scale: float

    def conditions(self, call: int) -> list[Condition]:
        """Return the conditions of a call; the positive one alone where no other would count."""
        positive = [part.at(call) for part in self.positive]
        return positive if self._is_plain else [self.negative.at(call), *positive]

    def guided(self, predictions: torch.Tensor) -> torch.Tensor:
        """Combine predictions, conditions x 4 x height x width, to 1 x 4 x height x width."""
        if self._is_plain:
            return predictions
        negative = predictions[:1]
        changes = [
            part.weight * (prediction - negative)
            for part, prediction in zip(self.positive, torch.split(predictions[1:], 1), strict=True)
        ]
        return negative + self.scale * torch.stack(changes).sum(dim=0)

    @property
    def _is_plain(self) -> bool:
        return self.scale == 1 and [part.weight for part in self.positive] == [1]


@dataclass(frozen=True, eq=False)
class Start:
    """Latents that a picture starts from, other than noise alone."""

    latents: torch.Tensor
    """1 x 4 x height x width, without noise."""
    strength: float
    """Share of the steps that are taken again, 0 to 1."""
    mask: torch.Tensor | None = None
    """1 x 1 x height x width: 1 where to paint; elsewhere the start is kept."""
    kept: torch.Tensor | None = None
    """1 x 4 x height x width: latents that are kept there, if not the start itself."""
    noise: float = 1.0
    """Factor of the noise that it begins with."""
    takes_all_steps: bool = False
    """Flag: all steps are taken, however small the strength: they are closer to each other."""


class Sampling:
    """State of one picture's sampling; `tick` brings it a step further.

    ``schedule`` is the checkpoint's scheduler configuration, ``shape`` (4, height, width) in
    latents.
    """

    def __init__(
        self,
        *,
        guidance: Guidance,
        sampler: Sampler,
        schedule: Any,
        steps: int,
        seeds: Seeds,
        shape: tuple[int, int, int],
        device: torch.device,
        start: Start | None = None,
    ) -> None:
        self.guidance = guidance
        self.scheduler = sampler.scheduler(schedule, seeds.seed)
        noise, generator = seeds.first(shape)
        takes_noise = "generator" in inspect.signature(self.scheduler.step).parameters
        self._noise_source = {"generator": generator} if takes_noise else {}
        self._sampler, self._generator = sampler, generator
        self._noise = noise.to(device)
        self._start = start
        self._timesteps = self._plan(steps, device)
        self._done = 0
        self.latents = self._first()
        self._input: torch.Tensor
        self._prediction: torch.Tensor

    @property
    def steps(self) -> int:
        """Steps of the whole sampling, in calls of the UNet."""
        return len(self._timesteps)

    @property
    def finished(self) -> bool:
        """Tell whether all steps are done."""
        return self._done >= self.steps

    @property
    def timestep(self) -> torch.Tensor:
        """Timestep of the next step, a tensor of no dimension."""
        return self._timesteps[self._done]

    @property
    def conditions(self) -> list[Condition]:
        """Conditions of the next step."""
        return self.guidance.conditions(self._done)

    def model_input(self) -> torch.Tensor:
        """Return the latents for each condition, conditions x 4 x height x width, for the UNet."""
        self._input = self.scheduler.scale_model_input(self.latents, self.timestep)
        return self._input.expand(len(self.conditions), -1, -1, -1)

    def step(self, predictions: torch.Tensor) -> None:
        """Take one step with the UNet's predictions, conditions x 4 x height x width.

        Raises:
            TaskFailed: the picture came out as NaN.
        """
        self._prediction = self.guidance.guided(predictions.float())
        stepped = self.scheduler.step(
            self._prediction, self.timestep, self.latents, **self._arguments()
        )
        # Before the mask: what is kept gets the noise of the step that comes next.
        self._done += 1
        self.latents = self._masked(stepped.prev_sample)
        # Only at the end: the question makes the CPU wait for the GPU.
        if self.finished and not torch.isfinite(self.latents).all():
            raise TaskFailed("the picture came out as no numbers (NaN): the checkpoint is broken")

    def predicted(self) -> torch.Tensor:
        """Predict the latents without noise, 1 x 4 x height x width, from the last prediction.

        Whatever space a scheduler steps in, it asks the UNet in the one that the UNet was trained
        in, where the timestep alone says how much is signal and how much is noise.
        """
        timestep = int(self._timesteps[self._done - 1].round())
        share: torch.Tensor = self.scheduler.alphas_cumprod[timestep]
        signal, noise = share.sqrt(), (1 - share).sqrt()
        match self.scheduler.config.prediction_type:
            case "epsilon":
                return (self._input - noise * self._prediction) / signal
            case "v_prediction":
                return signal * self._input - noise * self._prediction
            case _:
                return self._prediction

    def _arguments(self) -> dict[str, Any]:
        given = {**self._noise_source, **self._sampler.arguments}
        if self._sampler.is_noisy and self._sampler.noise.factor != 1:
            noise = torch.randn(self.latents.shape, generator=self._generator)
            given["variance_noise"] = self._sampler.noise.factor * noise.to(self.latents)
        return given

    def _plan(self, asked: int, device: torch.device) -> torch.Tensor:
        steps, skipped = self._steps_of(asked)
        if "original_inference_steps" in inspect.signature(self.scheduler.set_timesteps).parameters:
            most = max(steps, _DISTILLED_STEPS)
            self.scheduler.set_timesteps(steps, device=device, original_inference_steps=most)
        else:
            self.scheduler.set_timesteps(steps, device=device)
        # A scheduler of second order has two timesteps, and two calls of the UNet, a step.
        skipped *= self.scheduler.order
        if hasattr(self.scheduler, "set_begin_index"):
            # Else it looks for its place by the timestep's value, which may stand there twice.
            self.scheduler.set_begin_index(skipped)
        plan: torch.Tensor = self.scheduler.timesteps[skipped:]
        return plan

    def _steps_of(self, asked: int) -> tuple[int, int]:
        """Return the steps from noise, and those that a source image is ahead of it."""
        if self._start is None:
            return asked, 0
        strength = min(self._start.strength, _MOST_STRENGTH)
        if not self._start.takes_all_steps or not strength:
            return asked, asked - 1 - int(strength * asked)
        steps = min(int(asked / strength), _MOST_STEPS)
        return steps, steps - max(1, min(asked, int(strength * steps) + 1))

    def _first(self) -> torch.Tensor:
        if self._start is None:
            first: torch.Tensor = self._noise * self.scheduler.init_noise_sigma
            return first
        return self._noised(self._start.latents, self._timesteps[:1], self._start.noise)

    def _masked(self, latents: torch.Tensor) -> torch.Tensor:
        if self._start is None or self._start.mask is None:
            return latents
        mask = self._start.mask
        kept = self._start.latents if self._start.kept is None else self._start.kept
        if not self.finished:
            kept = self._noised(kept, self._timesteps[self._done : self._done + 1])
        return mask * latents + (1 - mask) * kept

    def _noised(
        self, latents: torch.Tensor, timestep: torch.Tensor, factor: float = 1.0
    ) -> torch.Tensor:
        noise = self._noise if factor == 1 else factor * self._noise
        noised: torch.Tensor = self.scheduler.add_noise(latents, noise, timestep)
        return noised


@torch.inference_mode()
def tick(pipeline: Pipeline, running: Sequence[Sampling]) -> None:
    """Bring each picture one step further, with one call of the UNet for all.

    The pictures must have the same size and be unfinished.

    Raises:
        TaskFailed: a picture came out as NaN.
    """
    inputs = [sampling.model_input() for sampling in running]
    counts = [len(each) for each in inputs]
    times = [
        sampling.timestep.float().expand(n) for sampling, n in zip(running, counts, strict=True)
    ]
    conditions = [each for sampling in running for each in sampling.conditions]
    predictions = _unet(pipeline, torch.cat(inputs), torch.cat(times), conditions)
    for sampling, prediction in zip(running, torch.split(predictions, counts), strict=True):
        sampling.step(prediction)


def _unet(
    pipeline: Pipeline,
    latents: torch.Tensor,
    times: torch.Tensor,
    conditions: Sequence[Condition],
) -> torch.Tensor:
    dtype = pipeline.unet.dtype
    words = torch.cat([condition.words for condition in conditions]).to(dtype)
    added = {"added_cond_kwargs": _sizes(pipeline, latents, conditions)} if pipeline.is_sdxl else {}
    output = pipeline.unet(latents.to(dtype), times, encoder_hidden_states=words, **added)
    sample: torch.Tensor = output.sample
    return sample


def _sizes(
    pipeline: Pipeline, latents: torch.Tensor, conditions: Sequence[Condition]
) -> dict[str, torch.Tensor]:
    """Make SDXL's further conditions: pooled text, and the sizes of picture, crop and target."""
    height, width = (side * pipeline.factor for side in latents.shape[-2:])
    sizes = latents.new_tensor([[height, width, 0, 0, height, width]]).expand(len(conditions), -1)
    pooled = [condition.pooled for condition in conditions if condition.pooled is not None]
    return {"text_embeds": torch.cat(pooled).to(pipeline.unet.dtype), "time_ids": sizes}
