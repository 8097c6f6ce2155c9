"""Passes of a generation: the first one, and the larger second one of ``enable_hr``."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from deployments.runtimes.diffusers import lora, prompt
from deployments.runtimes.diffusers.encode import Condition, encode
from deployments.runtimes.diffusers.limits import Limits, Size
from deployments.runtimes.diffusers.pipeline import Pipeline
from deployments.runtimes.diffusers.prompt import LoraTag
from deployments.runtimes.diffusers.samplers import Sampler, sampler_of, second_sampler_of
from deployments.runtimes.diffusers.sampling import Guidance, Timed
from models.checkpoints import Shelf
from models.errors import TaskFailed
from models.runtimes.diffusers.generation_requests import TextToImage
from models.runtimes.diffusers.prompt_editing import Part, Texts, parts, texts
from models.runtimes.diffusers.prompts import Prompt
from models.runtimes.diffusers.values import LATENT_UPSCALERS

Open = Callable[[str], Pipeline]
"""Function that loads a second checkpoint beside the current one."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """Tools and words that all pictures are painted with, from noise or from another picture."""

    pipeline: Pipeline
    sampler: Sampler
    prompts: tuple[Prompt, Prompt]
    """Prompt, and negative prompt."""
    scale: float
    steps: int
    size: Size
    """Width and height in pixels."""
    skip: int
    """Clip skip."""
    backtrack: int
    """Most tokens by which a chunk of a prompt ends early, at a comma."""

    @property
    def tags(self) -> list[LoraTag]:
        """LoRAs of the prompt."""
        return prompt.loras(self.prompts[0].text)[1]

    def check(self, shelf: Shelf) -> None:
        """Check that the LoRAs are there.

        Raises:
            TaskFailed: one is not; the message lists those that are.
        """
        for tag in self.tags:
            if tag.weight:
                shelf.find(tag.name)

    def guidance(self) -> Generator[None, None, Guidance]:
        """Encode the prompts; yields after each chunk. LoRAs must be applied before.

        Raises:
            TaskFailed: a prompt is too long, or is edited too often.
        """
        positive, negative = self.prompts
        read = [*_read(positive), *_read(negative)]
        fields = [positive.field] * (len(read) - 1) + [negative.field]
        # Texts that one part becomes are as long as each other; the others keep their lengths.
        groups = [
            {text: field for _, text in part.texts}
            for part, field in zip(read, fields, strict=True)
        ]
        encoded = yield from encode(self.pipeline, groups, self.skip, self.backtrack)
        *joined, without = (
            Timed(_conditions(part.texts, found), part.weight)
            for part, found in zip(read, encoded, strict=True)
        )
        return Guidance(tuple(joined), without, self.scale)


@dataclass
class AppliedLoras:
    """LoRAs that are applied now, to the checkpoint of one pass."""

    stack: ExitStack
    shelf: Shelf
    _used: tuple[Pipeline, list[LoraTag]] | None = None

    def use(self, one: Pass) -> None:
        """Apply the LoRAs of a pass, and no others.

        Raises:
            TaskFailed: a LoRA is unknown, or does not fit the checkpoint.
        """
        wanted = (one.pipeline, one.tags)
        if self._used != wanted:
            self.stack.close()
            self._used = None  # none are, if one fails
            self.stack.enter_context(lora.applied(*wanted, self.shelf))
            self._used = wanted


def first_pass(pipeline: Pipeline, request: TextToImage, size: Size) -> Pass:
    """Return the pass that a request begins with."""
    return Pass(
        pipeline=pipeline,
        sampler=sampler_of(request),
        prompts=_two(request.prompts[:2]),
        scale=request.cfg_scale,
        steps=request.steps,
        size=size,
        skip=request.layers_skipped,
        backtrack=request.override_settings.comma_padding_backtrack,
    )


def second_pass(request: TextToImage, size: Size, limits: Limits, pipeline: Pipeline) -> Pass:
    """Return the second pass of a request, over the size of the first one.

    Raises:
        TaskFailed: the picture becomes too large.
    """
    return Pass(
        pipeline=pipeline,
        sampler=second_sampler_of(request),
        prompts=_two(request.second_prompts),
        scale=request.hr_cfg or request.cfg_scale,
        steps=request.second_steps,
        size=limits.second_size(request, size),
        skip=request.layers_skipped,
        backtrack=request.override_settings.comma_padding_backtrack,
    )


def check_family(request: TextToImage, first: Pipeline, second: Pipeline) -> None:
    """Refuse latents of one family for a checkpoint of another.

    Raises:
        TaskFailed: they would be handed over as they are.
    """
    if first.is_sdxl != second.is_sdxl and request.hr_upscaler in LATENT_UPSCALERS:
        raise TaskFailed(
            f"hr_upscaler: latents of {first.name} mean nothing to {second.name}, which is of "
            "another family; send Lanczos or an upscaler's file"
        )


def _two(prompts: Sequence[Prompt]) -> tuple[Prompt, Prompt]:
    positive, negative = prompts
    return positive, negative


def _read(one: Prompt) -> tuple[Part, ...]:
    try:
        if one.is_composed:
            return parts(one.words.strip(), one.clock)
        return (Part(texts(one.words.strip(), one.clock)),)
    except ValueError as exc:
        raise TaskFailed(f"{one.field}: {exc}") from None


def _conditions(found: Texts, encoded: dict[str, Condition]) -> tuple[tuple[int, Condition], ...]:
    return tuple((last, encoded[text]) for last, text in found)
