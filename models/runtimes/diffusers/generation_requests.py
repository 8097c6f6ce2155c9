"""Requests of the Web UI for pictures that are drawn: from text, or from text and a picture."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field
from typing_extensions import override

from models.checkpoints import spellings, without_hash
from models.runtimes.content import Fault
from models.runtimes.diffusers import fields, samplers
from models.runtimes.diffusers.drawing import Drawing, Words
from models.runtimes.diffusers.fates import Refusals
from models.runtimes.diffusers.options import Options
from models.runtimes.diffusers.prompt_editing import Clock
from models.runtimes.diffusers.prompts import Prompt, prompt_faults
from models.runtimes.diffusers.request import MISPLACED
from models.runtimes.diffusers.values import (
    Feather,
    OptionalSide,
    OwnName,
    OwnSamplerName,
    OwnScheduleName,
    SmallFactor,
    UpscalerName,
)
from models.runtimes.webui import Picture, flag, object_at

KEPT_ALONE = "both checkpoints are needed at once; set the runtime's option keep to 2 or more"
"""Remedy where a runtime keeps one checkpoint."""
_ROUNDED = 64
"""Most pixels by which a side is rounded to what the checkpoint can do."""


class TextToImage(Drawing):
    """Body of ``/sdapi/v1/txt2img``."""

    refused: ClassVar[Refusals] = fields.DRAWN
    misplaced: ClassVar[Mapping[str, str]] = {
        field: MISPLACED.format(kind="text-to-image", field="picture", better="image-to-image")
        for field in ("init_images", "mask")
    }

    enable_hr: bool = False
    """Flag: a second pass paints the picture again, larger."""
    hr_scale: Annotated[float, Field(ge=1, le=8)] = 2.0
    hr_upscaler: UpscalerName = "Latent"
    """Name of an upscaler: a latent one, or an upscaler's file."""
    hr_second_pass_steps: Annotated[int, Field(ge=0, le=150)] = 0
    """Steps of the second pass; 0: as many as in the first."""
    hr_resize_x: OptionalSide = 0
    hr_resize_y: OptionalSide = 0
    hr_prompt: Words = ""
    """Words of the second pass, with LoRAs of their own; empty: those of the first."""
    hr_negative_prompt: Words = ""
    """Negative prompt of the second pass; empty: that of the first."""
    hr_sampler_name: OwnSamplerName = None
    """Sampler of the second pass; that of the first if left out."""
    hr_scheduler: OwnScheduleName = None
    """Schedule of the second pass's noise; that of the first if left out."""
    hr_cfg: Annotated[float, Field(ge=0, le=30)] = 0.0
    """Scale of the second pass; 0: that of the first."""
    hr_checkpoint_name: OwnName = None
    """Checkpoint of the second pass; needs the option ``keep`` of 2 at least."""

    @classmethod
    @override
    def refused_of(cls, given: Mapping[str, Any]) -> Refusals:
        second = flag(given.get("enable_hr")) or False  # what is no flag is a fault of its own
        return {**cls.refused, **(fields.SECOND_PASS_REFUSED if second else {})}

    @override
    def rules(self, given: Mapping[str, Any], options: Options) -> Iterator[Fault]:
        yield from prompt_faults(self.prompts)
        if self._needs_two_checkpoints and options.keep == 1:
            yield Fault("hr_checkpoint_name", KEPT_ALONE)
        if self.pictures > options.max_pictures:
            yield Fault(
                "batch_size",
                f"{self.pictures} pictures (batch_size x n_iter) are more than the "
                f"{options.max_pictures} allowed in one task",
            )
        # A side that is left out is the checkpoint's, which only a replica knows.
        if self.width and self.height and self.width * self.height > options.max_pixels:
            yield too_many_pixels("width", self.width, self.height, options.max_pixels)
        elif self.width and self.height and self.enable_hr:
            yield from self._second_pass_faults(self.width, self.height, options.max_pixels)

    @property
    def prompts(self) -> list[Prompt]:
        """Prompts of all passes, each by the field that it is from."""
        first = [
            Prompt("prompt", self.prompt, self.clock, is_composed=True),
            Prompt("negative_prompt", self.negative_prompt, self.clock, is_composed=False),
        ]
        return first + (self.second_prompts if self.enable_hr else [])

    @property
    def second_prompts(self) -> list[Prompt]:
        """Prompts of the second pass."""
        own, clock = self.hr_prompt, self.second_clock
        own_negative = self.hr_negative_prompt
        return [
            Prompt("hr_prompt" if own else "prompt", own or self.prompt, clock, is_composed=True),
            Prompt(
                "hr_negative_prompt" if own_negative else "negative_prompt",
                own_negative or self.negative_prompt,
                clock,
                is_composed=False,
            ),
        ]

    @property
    def second_clock(self) -> Clock:
        """Calls by which the words of the second pass change."""
        calls = self.second_steps * samplers.calls_of(self.second_sampler)
        return Clock(calls, before=self.clock.calls)

    @property
    def second_steps(self) -> int:
        return self.hr_second_pass_steps or self.steps

    @property
    def second_sampler(self) -> str:
        """Name of the second pass's sampler."""
        return self.hr_sampler_name or self.sampler_name

    def _second_pass_faults(self, width: int, height: int, most: int) -> Iterator[Fault]:
        """Find faults of the second pass; sides are rounded later, so only clear ones are told."""
        by_x, by_y = self.hr_resize_x / width, self.hr_resize_y / height
        # As in the Web UI: of one given side the other follows; without either the scale counts.
        larger = int(width * (by_x or by_y or self.hr_scale))
        higher = int(height * (by_y or by_x or self.hr_scale))
        if (larger - _ROUNDED) * (higher - _ROUNDED) > most:
            yield too_many_pixels("hr_scale", larger, higher, most)

    @property
    def _needs_two_checkpoints(self) -> bool:
        own, second = self.override_settings.sd_model_checkpoint, self.hr_checkpoint_name
        # Without a name it is the runtime's own, which only a replica knows.
        if not (self.enable_hr and own and second):
            return False
        return spellings(without_hash(own)).isdisjoint(spellings(without_hash(second)))


class ImageToImage(TextToImage):
    """Body of ``/sdapi/v1/img2img``."""

    refused: ClassVar[Refusals] = {**fields.DRAWN, **fields.PAINTED_OVER}
    misplaced: ClassVar[Mapping[str, str]] = {}

    init_images: tuple[Picture, ...] = ()
    """Picture to start from, as base64 or a link; or one for each of a batch."""
    mask: Picture | None = None
    """Mask, whose white part is painted anew."""
    mask_blur: Feather | None = None
    """Pixels of the mask's feather in both directions."""
    mask_blur_x: Feather = 4
    """Pixels of the mask's feather from left to right, without ``mask_blur``."""
    mask_blur_y: Feather = 4
    """Pixels of the mask's feather from top to bottom, without ``mask_blur``."""
    initial_noise_multiplier: SmallFactor | None = None
    """Factor of the noise at the beginning; otherwise that of the settings."""
    inpainting_fill: Annotated[int, Field(ge=0, le=3)] = 0
    """Filling under the mask at first: 0 its surroundings, 1 the picture, 2 noise, 3 nothing."""
    inpainting_mask_invert: bool = False
    inpaint_full_res: bool = True
    """Flag: the masked part alone is painted, at the full size."""
    inpaint_full_res_padding: Annotated[int, Field(ge=0, le=1024)] = 0
    resize_mode: Annotated[int, Field(ge=0, le=2)] = 0
    """Way to bring the picture to the size: 0 stretched, 1 cropped, 2 with borders."""

    @classmethod
    @override
    def refused_of(cls, given: Mapping[str, Any]) -> Refusals:
        del given
        return cls.refused

    @classmethod
    @override
    def gathered(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Leave the second pass out: it is text-to-image's alone; the Web UI ignores it here."""
        # Clients of the reference system put the picture's link here; it wins over `init_images`.
        link = object_at(given, "alwayson_scripts").get("image_link")
        own = {
            key: value
            for key, value in super().gathered(given).items()
            if key not in fields.SECOND_PASS
        }
        return own | ({"init_images": [link]} if link else {})

    @property
    def feather(self) -> tuple[int, int]:
        """Pixels of the mask's feather, from left to right and from top to bottom."""
        if self.mask_blur is None:
            return self.mask_blur_x, self.mask_blur_y
        return self.mask_blur, self.mask_blur

    @property
    def noise_factor(self) -> float:
        """Factor of the noise at the beginning."""
        own = self.initial_noise_multiplier
        return self.override_settings.initial_noise_multiplier if own is None else own

    @override
    def rules(self, given: Mapping[str, Any], options: Options) -> Iterator[Fault]:
        yield from super().rules(given, options)
        count = len(self.init_images)
        if not count:
            yield Fault("init_images", "one picture at least is needed, as base64 or a link")
        elif count not in (1, self.batch_size):
            yield Fault(
                "init_images",
                f"{count} pictures for a batch_size of {self.batch_size}; "
                "send one, or one for each picture of a batch",
            )


def too_many_pixels(field: str, width: int, height: int, most: int) -> Fault:
    """Say that a picture would be too large."""
    return Fault(field, f"{width}x{height} has more than the {most} pixels allowed in one picture")
