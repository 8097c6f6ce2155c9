"""Generation of pictures, text-to-image and image-to-image, step by step.

All of it is blocking generators; each item that they yield is a point at which to stop.
"""

import hashlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

import torch
import torch.nn.functional as F  # noqa: N812  # the name everyone knows it by

from deployments.adapter import Answer, Artifact
from deployments.runtimes.diffusers import lora, prompt
from deployments.runtimes.diffusers.answer import Infotext
from deployments.runtimes.diffusers.encode import encode
from deployments.runtimes.diffusers.limits import Limits, Size
from deployments.runtimes.diffusers.noise import Seeds
from deployments.runtimes.diffusers.pipeline import Pipeline
from deployments.runtimes.diffusers.pixels import from_latents, png, to_latents
from deployments.runtimes.diffusers.preview import Previews
from deployments.runtimes.diffusers.samplers import sampler_of
from deployments.runtimes.diffusers.sampling import Guidance, Sampling, Start, tick
from deployments.runtimes.diffusers.source_image import Fill, SourceImage
from deployments.runtimes.diffusers.upscaling import Upscalers, with_progress
from models.checkpoints import Checkpoints
from models.report import Progress
from models.runtimes.diffusers import Options
from models.runtimes.diffusers.generation_requests import ImageToImage, TextToImage
from models.runtimes.diffusers.values import LATENT_UPSCALERS
from models.task import Task

Steps = Generator[Progress | Artifact | Answer]
"""Run of a task, as its adapter yields it; blocking."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """Models and options that pictures are generated with, whatever is requested."""

    pipeline: Pipeline
    checkpoints: Checkpoints
    upscalers: Upscalers
    options: Options
    previews: Previews

    @property
    def limits(self) -> Limits:
        return Limits(self.options, self.pipeline.factor)


@dataclass(frozen=True, kw_only=True)
class Generation:
    """Generation of one request's pictures."""

    tools: Tools
    task: Task
    request: TextToImage
    size: Size
    """Width and height in pixels, of the first pass."""
    sources: Sequence[SourceImage] = ()
    """Source images: none, one for all pictures, or one for each picture of a batch."""
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    """UTC; wall clock."""

    def steps(self) -> Steps:
        """Yield the progress, the pictures, and last the answer.

        Raises:
            TaskFailed: a LoRA does not fit, a prompt is too long, or a picture came out as NaN.
        """
        artifacts = []
        text, tags = prompt.loras(self.request.prompt)
        # Around the encoding, too: a LoRA may change the text encoder.
        with lora.applied(self._pipeline, tags, self.tools.checkpoints.loras):
            guidance = yield from self._guidance(text)
            for batch in range(self.request.n_iter):
                running = yield from self._batch(guidance, batch)
                for number, sampling in running:
                    artifacts.append(self._finished(sampling, number))
                    yield artifacts[-1]
        yield self._infotext.answer(artifacts)

    @property
    def _pipeline(self) -> Pipeline:
        return self.tools.pipeline

    @cached_property
    def _seeds(self) -> tuple[int, ...]:
        """Seed of each picture; random ones come from the submission, so a retry repeats them."""
        # 32 bits, as many as the Web UI draws.
        drawn = int.from_bytes(hashlib.sha256(self.task.submission.encode()).digest()[:4])
        first = drawn if self.request.seed == -1 else self.request.seed
        return tuple(range(first, first + self.request.pictures))

    @cached_property
    def _infotext(self) -> Infotext:
        return Infotext(
            id=self.task.id,
            request=self.request,
            checkpoint=self._pipeline.name,
            seeds=self._seeds,
            size=self.size,
            began=self.began,
        )

    @cached_property
    def _small_sources(self) -> list[SourceImage]:
        return [source.shrunk(self.tools.options.preview_side) for source in self.sources]

    def _guidance(self, text: str) -> Generator[Progress, None, Guidance]:
        request = self.request
        skip = request.override_settings.CLIP_stop_at_last_layers
        conditions = yield from with_progress(
            encode(self._pipeline, text, request.negative_prompt, skip), self._progress(0)
        )
        return Guidance(*conditions, request.cfg_scale)

    def _batch(
        self, guidance: Guidance, batch: int
    ) -> Generator[Progress, None, list[tuple[int, Sampling]]]:
        """Generate a batch's pictures at the same time; return each with its number."""
        first, before = batch * self.request.batch_size, batch * self._steps_of_batch
        numbers = range(first, first + self.request.batch_size)
        running = [self._sampling(guidance, number) for number in numbers]
        yield from self._run(running, before, self.request.steps)
        if self.request.enable_hr:
            running = yield from self._enlarged(guidance, numbers, running, before)
            yield from self._run(running, before + self.request.steps, self._second_steps)
        return list(zip(numbers, running, strict=True))

    def _run(self, running: Sequence[Sampling], before: int, steps: int) -> Iterator[Progress]:
        """Take all steps; progress counts the steps that the client asked for, not UNet calls."""
        calls, shown = running[0].steps, before
        for call in range(1, calls + 1):
            tick(self._pipeline, running)
            step = before + call * steps // calls
            yield self._progress(step, self._preview(running, shown, step))
            shown = step

    def _preview(self, running: Sequence[Sampling], shown: int, step: int) -> bytes | None:
        previews = self.tools.previews
        # No preview of the last step: the picture itself comes next.
        if running[0].finished or not previews.is_due(shown, step):
            return None
        return previews.sheet(self._pipeline, running, self._small_sources)

    def _progress(self, step: int, preview: bytes | None = None) -> Progress:
        total = self.request.n_iter * self._steps_of_batch
        return Progress(step=step, of=total, preview=preview)

    @property
    def _second_steps(self) -> int:
        return self.request.hr_second_pass_steps or self.request.steps

    @property
    def _steps_of_batch(self) -> int:
        return self.request.steps + (self._second_steps if self.request.enable_hr else 0)

    def _sampling(self, guidance: Guidance, number: int) -> Sampling:
        start = self._start(self._source(number), number) if self.sources else None
        return self._new_sampling(guidance, number, self.request.steps, self.size, start)

    def _new_sampling(
        self, guidance: Guidance, number: int, steps: int, size: Size, start: Start | None
    ) -> Sampling:
        unet = self._pipeline.unet
        width, height = (side // self._pipeline.factor for side in size)
        return Sampling(
            guidance=guidance,
            sampler=sampler_of(self.request),
            schedule=self._pipeline.schedule,
            steps=steps,
            seeds=Seeds(self._seeds[number]),
            shape=(unet.config.in_channels, height, width),
            device=self._pipeline.device,
            start=start,
        )

    def _source(self, number: int) -> SourceImage:
        """Return the source of a picture."""
        return self.sources[number % len(self.sources)]

    def _start(self, source: SourceImage, number: int) -> Start:
        strength = self.request.denoising_strength
        latents = to_latents(self._pipeline, source.view)
        if source.repaint is None or not isinstance(self.request, ImageToImage):
            return Start(latents, strength)
        mask = source.latent_mask(latents.shape[-2:]).to(latents.device)
        match Fill(self.request.inpainting_fill):
            case Fill.SURROUNDINGS:
                under = to_latents(self._pipeline, source.filled)
            case Fill.ORIGINAL:
                under = latents
            case Fill.NOISE:
                noise, _ = Seeds(self._seeds[number]).first(latents.shape[1:])
                noise = noise.to(latents)
                under = noise * mask + latents * (1 - mask)
            case Fill.NOTHING:
                under = latents * (1 - mask)
        return Start(under, strength, mask, kept=latents)

    def _enlarged(
        self,
        guidance: Guidance,
        numbers: Sequence[int],
        first_pass: Sequence[Sampling],
        before: int,
    ) -> Generator[Progress, None, list[Sampling]]:
        """Begin the second pass: each picture once more, larger, from the first pass's latents."""
        size = self.tools.limits.second_size(self.request, self.size)
        samplings = []
        for number, sampling in zip(numbers, first_pass, strict=True):
            latents = yield from self._enlarged_latents(sampling.latents, size, before)
            start = Start(latents, self.request.denoising_strength)
            samplings.append(self._new_sampling(guidance, number, self._second_steps, size, start))
        return samplings

    def _enlarged_latents(
        self, latents: torch.Tensor, size: Size, before: int
    ) -> Generator[Progress, None, torch.Tensor]:
        name = self.request.hr_upscaler
        if (mode := LATENT_UPSCALERS.get(name)) is not None:
            width, height = (side // self._pipeline.factor for side in size)
            return F.interpolate(latents, (height, width), mode=mode)
        image = from_latents(self._pipeline, latents)
        tiles = self.tools.upscalers.enlarge(image, size, name)
        larger = yield from with_progress(tiles, self._progress(before + self.request.steps))
        return to_latents(self._pipeline, larger)

    def _finished(self, sampling: Sampling, number: int) -> Artifact:
        image = from_latents(self._pipeline, sampling.latents)
        if self.sources:
            image = self._source(number).finish(image)
        return Artifact(data=png(image, self._infotext.infotext(number)))
