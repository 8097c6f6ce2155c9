"""Sampling of pictures from noise, an object for each picture, and one UNet call a step for all.

Each picture has its own solver, noise and guidance, so pictures of one size can join and leave
the batch at any step.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from deployments.runtimes.diffusers.course import Course
from deployments.runtimes.diffusers.encode import Condition
from deployments.runtimes.diffusers.noise import BrownianNoise, Seeds
from deployments.runtimes.diffusers.noise_levels import NoiseLevels
from deployments.runtimes.diffusers.pipeline import Pipeline
from deployments.runtimes.diffusers.samplers import Sampler, Start
from models.errors import TaskFailed


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
        parts = [part.at(call) for part in self.positive]
        longest = max(part.words.shape[1] for part in parts)
        positive = [part.of_length(longest) for part in parts]
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
class Source:
    """Latents that a picture starts from, other than noise alone."""

    latents: torch.Tensor
    """1 x 4 x height x width, without noise."""
    start: Start
    mask: torch.Tensor | None = None
    """1 x 1 x height x width: 1 where to paint; elsewhere the latents are kept."""
    kept: torch.Tensor | None = None
    """1 x 4 x height x width: latents that are kept there, if not those that it starts from."""
    noise: float = 1.0
    """Factor of the noise that it begins with."""


class Sampling:
    """State of one picture's sampling; `tick` brings it a step further.

    ``schedule`` is the checkpoint's scheduler configuration, ``shape`` (4, height, width) in
    latents.
    """

    latents: torch.Tensor
    """1 x 4 x height x width: the picture so far, plus noise."""

    steps: int
    """Steps of the whole sampling, in calls of the UNet."""

    def __init__(
        self,
        *,
        guidance: Guidance,
        sampler: Sampler,
        schedule: Mapping[str, Any],
        steps: int,
        seeds: Seeds,
        shape: tuple[int, int, int],
        device: torch.device,
        source: Source | None = None,
    ) -> None:
        self.guidance = guidance
        self._prediction_type: str = schedule["prediction_type"]
        whole = NoiseLevels.of(schedule)
        self._levels = sampler.levels(whole)
        self._sampler, self._source = sampler, source
        start = source.start if source else None
        sigmas = sampler.sigmas(self._levels, steps, start)
        span = sampler.noise_span(self._levels, steps, start)
        noise, self._generator = seeds.first(shape)
        self._noise = noise.to(device)
        self.steps = sampler.calls(sigmas)
        self._done = 0
        self._result_scale = 1 / math.hypot(sigmas[-1], 1) if sampler.ends_scaled else 1.0
        self._walk = sampler.solve(
            self._first(sigmas[0]),
            Course(
                sigmas,
                whole,
                sampler.noise,
                self._drawn,
                BrownianNoise(seeds.seed, self._noise, span),
            ),
        )
        self.latents, self._sigma = next(self._walk)
        self._seen = self.latents

    @property
    def finished(self) -> bool:
        """Tell whether all steps are done."""
        return self._done >= self.steps

    @property
    def timestep(self) -> torch.Tensor:
        """Timestep of the next step, a tensor of no dimension."""
        return self._levels.timestep(torch.tensor(self._sigma)).to(self.latents.device)

    @property
    def conditions(self) -> list[Condition]:
        """Conditions of the next step."""
        return self.guidance.conditions(self._done)

    def model_input(self) -> torch.Tensor:
        """Return the latents for each condition, conditions x 4 x height x width, for the UNet."""
        scaled = self.latents / math.hypot(self._sigma, 1)
        return scaled.expand(len(self.conditions), -1, -1, -1)

    def step(self, predictions: torch.Tensor) -> None:
        """Take one step with the UNet's predictions, conditions x 4 x height x width.

        Raises:
            TaskFailed: the picture came out as NaN.
        """
        self._seen = self._masked(self._denoised(self.guidance.guided(predictions.float())))
        self._done += 1
        try:
            self.latents, self._sigma = self._walk.send(self._seen)
        except StopIteration as end:
            self.latents = self._masked(end.value * self._result_scale)
            # Only at the end: the question makes the CPU wait for the GPU.
            if not torch.isfinite(self.latents).all():
                raise TaskFailed(
                    "the picture came out as no numbers (NaN): the checkpoint is broken"
                ) from None

    def predicted(self) -> torch.Tensor:
        """Return the latents without noise, 1 x 4 x height x width, that were last seen."""
        return self._seen

    def _denoised(self, prediction: torch.Tensor) -> torch.Tensor:
        sigma = self._sigma
        match self._prediction_type:
            case "epsilon":
                return self.latents - sigma * prediction
            case "v_prediction":
                size = math.hypot(sigma, 1)
                return self.latents / size**2 - sigma / size * prediction
            case _:
                return prediction

    def _drawn(self) -> torch.Tensor:
        drawn = torch.randn(self._noise.shape, generator=self._generator)
        return drawn.to(self._noise.device)

    def _first(self, sigma: float) -> torch.Tensor:
        if self._source is None:
            size = math.hypot(sigma, 1) if self._sampler.ends_scaled else sigma
            return self._noise * size
        return self._source.latents + self._noise * (self._source.noise * sigma)

    def _masked(self, latents: torch.Tensor) -> torch.Tensor:
        source = self._source
        if source is None or source.mask is None:
            return latents
        kept = source.latents if source.kept is None else source.kept
        return source.mask * latents + (1 - source.mask) * kept


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
    predictions = _by_length(pipeline, torch.cat(inputs), torch.cat(times), conditions)
    for sampling, prediction in zip(running, torch.split(predictions, counts), strict=True):
        sampling.step(prediction)


def _by_length(
    pipeline: Pipeline,
    latents: torch.Tensor,
    times: torch.Tensor,
    conditions: Sequence[Condition],
) -> torch.Tensor:
    """Call the UNet for all conditions of a length at once: chunks that are padded would count."""
    lengths = [condition.words.shape[1] for condition in conditions]
    predictions = torch.empty_like(latents)
    for length in sorted(set(lengths)):
        those = [index for index, found in enumerate(lengths) if found == length]
        own = [conditions[index] for index in those]
        predictions[those] = _unet(pipeline, latents[those], times[those], own).to(latents.dtype)
    return predictions


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
