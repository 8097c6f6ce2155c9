"""Generation of pictures, text-to-image and image-to-image, step by step.

All of it is blocking generators; each item that they yield is a point at which to stop.
"""

import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

import torch
import torch.nn.functional as F  # noqa: N812  # the name everyone knows it by
from PIL import Image

from deployments.adapter import Answer, Artifact
from deployments.runtimes.diffusers.answer import Infotext
from deployments.runtimes.diffusers.colours import with_colours_of
from deployments.runtimes.diffusers.limits import Limits, Size
from deployments.runtimes.diffusers.noise import Seeds
from deployments.runtimes.diffusers.passes import (
    AppliedLoras,
    Open,
    Pass,
    check_family,
    first_pass,
    second_pass,
)
from deployments.runtimes.diffusers.picture_files import Format, written
from deployments.runtimes.diffusers.pipeline import Pipeline
from deployments.runtimes.diffusers.pixels import from_latents, to_latents
from deployments.runtimes.diffusers.preview import Previews
from deployments.runtimes.diffusers.samplers import Start
from deployments.runtimes.diffusers.sampling import Guidance, Sampling, Source, tick
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
    second_pipeline: Open
    """Loads the second pass's checkpoint beside the first one's."""

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
        artifacts, shelf = [], self.tools.checkpoints.loras
        # Before any step: the second pass's checkpoint and LoRAs may be refused, too.
        for one in (self._first, self._last):
            one.check(shelf)
        with ExitStack() as loras:
            weights = AppliedLoras(loras, shelf)
            for batch in range(self.request.n_iter):
                running = yield from self._batch(batch, weights)
                for number, sampling in running:
                    artifacts.append(self._finished(sampling, number))
                    yield artifacts[-1]
        yield self._infotext.answer(artifacts)

    @property
    def _pipeline(self) -> Pipeline:
        return self.tools.pipeline

    @cached_property
    def _first(self) -> Pass:
        return first_pass(self._pipeline, self.request, self.size)

    @cached_property
    def _last(self) -> Pass:
        """Pass that the pictures come from."""
        if not self.request.enable_hr:
            return self._first
        name = self.request.hr_checkpoint_name
        pipeline = self._pipeline if name is None else self.tools.second_pipeline(name)
        check_family(self.request, self._pipeline, pipeline)
        return second_pass(self.request, self.size, self.tools.limits, pipeline)

    @cached_property
    def _guidances(self) -> dict[int, Guidance]:
        """Guidances that were encoded, by the identity of their pass."""
        return {}

    @cached_property
    def _seeds(self) -> tuple[Seeds, ...]:
        """Seeds of each picture; random ones come from the submission, so a retry repeats them."""
        request = self.request
        # 32 bits, as many as the Web UI draws.
        digest = hashlib.sha256(self.task.submission.encode()).digest()
        drawn, drawn_too = (int.from_bytes(digest[start : start + 4]) for start in (0, 4))
        first = drawn if request.seed == -1 else request.seed
        other = drawn_too if request.subseed == -1 else request.subseed
        resized = request.seed_resize_from_h, request.seed_resize_from_w
        factor = self._pipeline.factor
        return tuple(
            Seeds(
                # As in the Web UI: pictures of a batch are variations of one.
                first if request.subseed_strength else first + index,
                other + index,
                request.subseed_strength,
                (resized[0] // factor, resized[1] // factor) if min(resized) >= factor else None,
                request.override_settings.eta_noise_seed_delta,
            )
            for index in range(request.pictures)
        )

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

    def _guidance(self, one: Pass, done: int) -> Generator[Progress, None, Guidance]:
        if id(one) not in self._guidances:
            made = yield from with_progress(one.guidance(), self._progress(done))
            self._guidances[id(one)] = made
        return self._guidances[id(one)]

    def _batch(
        self, batch: int, weights: AppliedLoras
    ) -> Generator[Progress, None, list[tuple[int, Sampling]]]:
        """Generate a batch's pictures at the same time; return each with its number."""
        first, before = batch * self.request.batch_size, batch * self._steps_of_batch
        numbers = range(first, first + self.request.batch_size)
        weights.use(self._first)
        guidance = yield from self._guidance(self._first, before)
        running = [self._sampling(guidance, number) for number in numbers]
        yield from self._run(self._first, running, before)
        if self.request.enable_hr:
            done = before + self._first.steps
            latents = yield from self._enlarged([each.latents for each in running], done)
            weights.use(self._last)
            guidance = yield from self._guidance(self._last, done)
            running = [
                self._new_sampling(self._last, guidance, number, self._restart(one))
                for number, one in zip(numbers, latents, strict=True)
            ]
            yield from self._run(self._last, running, done)
        return list(zip(numbers, running, strict=True))

    def _run(self, one: Pass, running: Sequence[Sampling], before: int) -> Iterator[Progress]:
        """Take all steps; progress counts the steps that the client asked for, not UNet calls."""
        calls, shown = running[0].steps, before
        for call in range(1, calls + 1):
            tick(one.pipeline, running)
            step = before + call * one.steps // calls
            yield self._progress(step, self._preview(one, running, shown, step))
            shown = step

    def _preview(
        self, one: Pass, running: Sequence[Sampling], shown: int, step: int
    ) -> bytes | None:
        previews = self.tools.previews
        # No preview of the last step: the picture itself comes next.
        if running[0].finished or not previews.is_due(shown, step):
            return None
        return previews.sheet(one.pipeline, running, self._small_sources)

    def _progress(self, step: int, preview: bytes | None = None) -> Progress:
        total = self.request.n_iter * self._steps_of_batch
        return Progress(step=step, of=total, preview=preview)

    @property
    def _steps_of_batch(self) -> int:
        request = self.request
        return request.steps + (request.second_steps if request.enable_hr else 0)

    def _sampling(self, guidance: Guidance, number: int) -> Sampling:
        source = self._latents(self._source(number), number) if self.sources else None
        return self._new_sampling(self._first, guidance, number, source)

    def _new_sampling(
        self, one: Pass, guidance: Guidance, number: int, source: Source | None
    ) -> Sampling:
        width, height = (side // one.pipeline.factor for side in one.size)
        return Sampling(
            guidance=guidance,
            sampler=one.sampler,
            schedule=one.pipeline.schedule,
            steps=one.steps,
            seeds=self._seeds[number],
            shape=(one.pipeline.unet.config.in_channels, height, width),
            device=one.pipeline.device,
            source=source,
        )

    def _source(self, number: int) -> SourceImage:
        """Return the source of a picture."""
        return self.sources[number % len(self.sources)]

    def _latents(self, source: SourceImage, number: int) -> Source:
        request = self.request
        latents = to_latents(self._pipeline, self._begun(source))
        start = Start(
            request.denoising_strength,
            takes_all_steps=request.override_settings.img2img_fix_steps,
        )
        if not isinstance(request, ImageToImage):
            return Source(latents, start)
        begun = Source(latents, start, noise=request.noise_factor)
        if source.repaint is None:
            return begun
        mask = source.latent_mask(latents.shape[-2:]).to(latents.device)
        match Fill(request.inpainting_fill):
            case Fill.SURROUNDINGS | Fill.ORIGINAL:
                under = latents
            case Fill.NOISE:
                noise, _ = Seeds(self._seeds[number].seed).first(latents.shape[1:])
                under = noise.to(latents) * mask + latents * (1 - mask)
            case Fill.NOTHING:
                under = latents * (1 - mask)
        return replace(begun, latents=under, mask=mask, kept=latents)

    def _begun(self, source: SourceImage) -> Image.Image:
        """Return the view that is painted over; as in the Web UI, most ways to fill it blur it."""
        request = self.request
        if isinstance(request, ImageToImage) and request.inpainting_fill == Fill.ORIGINAL:
            return source.view
        return source.filled

    def _restart(self, latents: torch.Tensor) -> Source:
        # As in the Web UI: the second pass takes all of its steps.
        return Source(latents, Start(self.request.denoising_strength, takes_all_steps=True))

    def _enlarged(
        self, pictures: Sequence[torch.Tensor], done: int
    ) -> Generator[Progress, None, list[torch.Tensor]]:
        """Enlarge the first pass's latents for the second pass."""
        larger = []
        for latents in pictures:
            made = yield from self._enlarged_latents(latents, done)
            larger.append(made)
        return larger

    def _enlarged_latents(
        self, latents: torch.Tensor, done: int
    ) -> Generator[Progress, None, torch.Tensor]:
        name, limits = self.request.hr_upscaler, self.tools.limits
        size = limits.enlarged(self.request, self.size)
        if (way := LATENT_UPSCALERS.get(name)) is not None:
            mode, smooths = way
            width, height = (side // self._pipeline.factor for side in size)
            larger = F.interpolate(latents, (height, width), mode=mode, antialias=smooths)
        else:
            image = from_latents(self._pipeline, latents)
            tiles = self.tools.upscalers.enlarge(image, self._whole(size), name)
            picture = yield from with_progress(tiles, self._progress(done))
            larger = to_latents(self._last.pipeline, picture)
        return self._middle(larger, limits.enlarged_too_much(self.request, self.size))

    def _whole(self, size: Size) -> Size:
        """Return a size in pixels that is one in whole latents."""
        factor = self._last.pipeline.factor
        width, height = (side // factor * factor for side in size)
        return width, height

    @staticmethod
    def _middle(latents: torch.Tensor, too_much: Size) -> torch.Tensor:
        """Cut off what is too much, half of it at each edge."""
        (x, y), (height, width) = too_much, latents.shape[-2:]
        return latents[..., y // 2 : height - (y + 1) // 2, x // 2 : width - (x + 1) // 2]

    def _finished(self, sampling: Sampling, number: int) -> Artifact:
        image = from_latents(self._last.pipeline, sampling.latents)
        settings = self.request.override_settings
        if self.sources:
            source = self._source(number)
            if settings.img2img_color_correction:
                image = with_colours_of(self._begun(source), image)
            image = source.finish(image)
        return Artifact(data=written(image, self._infotext.infotext(number), Format.of(settings)))
