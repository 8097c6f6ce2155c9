"""Requests of the Web UI for pictures that are drawn: from text, or from text and a picture."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field
from typing_extensions import override

from models.runtimes.content import Fault
from models.runtimes.diffusers import fields, samplers
from models.runtimes.diffusers.fates import Refusals
from models.runtimes.diffusers.options import Options
from models.runtimes.diffusers.overrides import Overrides, overrides_in
from models.runtimes.diffusers.prompts import (
    MOST_CHARACTERS,
    chunk_fault,
    fewest_chunks,
    unsupported,
    without_comments,
    wrong_tags,
)
from models.runtimes.diffusers.request import MISPLACED, Request
from models.runtimes.diffusers.values import (
    OptionalSide,
    Positive,
    SamplerName,
    ScheduleName,
    Share,
    Side,
    UpscalerName,
)
from models.runtimes.webui import Picture, flag, object_at

Seed = Annotated[
    int, BeforeValidator(lambda given: -1 if given == "" else given), Field(ge=-(2**63), lt=2**63)
]
Prompt = Annotated[str, Field(max_length=MOST_CHARACTERS)]
_ROUNDED = 64
"""Most pixels by which a side is rounded to what the checkpoint can do."""


class TextToImage(Request):
    """Body of ``/sdapi/v1/txt2img``."""

    refused: ClassVar[Refusals] = fields.DRAWN
    misplaced: ClassVar[Mapping[str, str]] = {
        field: MISPLACED.format(kind="text-to-image", field="picture", better="image-to-image")
        for field in ("init_images", "mask")
    }

    prompt: Prompt = ""
    """Words to paint; knows ``(word:1.2)``, ``[word]``, ``BREAK``, ``<lora:name:weight>``."""
    negative_prompt: Prompt = ""
    """Description of what the picture must not show."""
    seed: Seed = -1
    """Seed of the noise: the same one gives the same picture; -1: another each time."""
    steps: Annotated[int, Field(ge=1, le=150)] = 50
    cfg_scale: Annotated[float, Field(ge=0, le=30)] = 7.0
    """Strength with which the prompt is followed; 1: without the negative prompt."""
    width: Side | None = None
    """Pixels of the picture's width; the checkpoint's own size if left out."""
    height: Side | None = None
    """Pixels of the picture's height; the checkpoint's own size if left out."""
    sampler_name: SamplerName = samplers.DEFAULT
    scheduler: ScheduleName = samplers.AUTOMATIC
    """Schedule of the noise."""
    batch_size: Positive = 1
    """Pictures that are painted at the same time."""
    n_iter: Positive = 1
    """Batches, one after another."""
    send_images: bool = True
    override_settings: Overrides = Overrides()

    enable_hr: bool = False
    """Flag: a second pass paints the picture again, larger."""
    hr_scale: Annotated[float, Field(ge=1, le=8)] = 2.0
    hr_upscaler: UpscalerName = "Latent"
    """Name of an upscaler: a latent one, or an upscaler's file."""
    hr_second_pass_steps: Annotated[int, Field(ge=0, le=150)] = 0
    """Steps of the second pass; 0: as many as in the first."""
    hr_resize_x: OptionalSide = 0
    hr_resize_y: OptionalSide = 0
    denoising_strength: Share = 0.75
    """Strength of repainting the given or the first pass's picture: 0 keeps it, 1 replaces it."""

    @classmethod
    @override
    def gathered(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        # Some older clients send an index by name, and both fields empty or "None" mean Euler.
        name = given.get("sampler_name") or given.get("sampler_index")
        named = {"sampler_name": name} if name and name != "None" else {}
        own = {
            key: value for key, value in super().gathered(given).items() if key != "sampler_name"
        }
        settings = overrides_in(given)
        if flag(settings.get("enable_prompt_comments")) is not False:
            own |= {
                field: without_comments(own[field])
                for field in ("prompt", "negative_prompt")
                if isinstance(own.get(field), str)
            }
        return own | named | {"override_settings": settings}

    @classmethod
    @override
    def refused_of(cls, given: Mapping[str, Any]) -> Refusals:
        second = flag(given.get("enable_hr")) or False  # what is no flag is a fault of its own
        return {**cls.refused, **(fields.SECOND_PASS_REFUSED if second else {})}

    @classmethod
    @override
    def most(cls, options: Options) -> Mapping[str, int]:
        return {"batch_size": options.max_pictures, "n_iter": options.max_pictures}

    @override
    def rules(self, given: Mapping[str, Any], options: Options) -> Iterator[Fault]:
        yield from self._prompt_faults()
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
    def pictures(self) -> int:
        return self.batch_size * self.n_iter

    @property
    def echo(self) -> dict[str, Any]:
        """Write the request as understood, without pictures."""
        return self.model_dump(exclude={"init_images", "mask"})

    def _second_pass_faults(self, width: int, height: int, most: int) -> Iterator[Fault]:
        """Find faults of the second pass; sides are rounded later, so only clear ones are told."""
        by_x, by_y = self.hr_resize_x / width, self.hr_resize_y / height
        # As in the Web UI: of one given side the other follows; without either the scale counts.
        larger = int(width * (by_x or by_y or self.hr_scale))
        higher = int(height * (by_y or by_x or self.hr_scale))
        if (larger - _ROUNDED) * (higher - _ROUNDED) > most:
            yield too_many_pixels("hr_scale", larger, higher, most)

    def _prompt_faults(self) -> Iterator[Fault]:
        for field, text in (("prompt", self.prompt), ("negative_prompt", self.negative_prompt)):
            if (long := chunk_fault(fewest_chunks(text))) is not None:
                yield Fault(field, long)
            for message in unsupported(text):
                yield Fault(field, message)
        for message in wrong_tags(self.prompt):
            yield Fault("prompt", message)


class ImageToImage(TextToImage):
    """Body of ``/sdapi/v1/img2img``."""

    refused: ClassVar[Refusals] = {**fields.DRAWN, **fields.PAINTED_OVER}
    misplaced: ClassVar[Mapping[str, str]] = {}

    init_images: tuple[Picture, ...] = ()
    """Picture to start from, as base64 or a link; or one for each of a batch."""
    mask: Picture | None = None
    """Mask, whose white part is painted anew."""
    mask_blur: Annotated[int, Field(ge=0, le=64)] = 4
    """Pixels of the mask's feather."""
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
