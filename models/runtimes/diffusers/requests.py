"""The Web UI's requests, as far as this runtime honours them.

What it cannot honour and would change the picture is refused by name; what changes nothing is taken
(`models.runtimes.diffusers.fields`), and a field that nobody knows is refused as misspelt.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)
from typing_extensions import override

from models.runtimes.content import Fault, faults_in, refuse, unknown
from models.runtimes.diffusers import fields, samplers
from models.runtimes.diffusers.options import Options
from models.runtimes.diffusers.prompts import unsupported, wrong_tags
from models.runtimes.diffusers.scripts import extension_faults, setting_faults, unhonoured
from models.runtimes.webui import (
    NOT_AN_OBJECT,
    Picture,
    object_at,
    object_faults,
    settings_in,
)

LATENT_UPSCALERS: Mapping[str, str] = {
    "Latent": "bilinear",
    "Latent (antialiased)": "bilinear",
    "Latent (bicubic)": "bicubic",
    "Latent (bicubic antialiased)": "bicubic",
    "Latent (nearest)": "nearest",
    "Latent (nearest-exact)": "nearest-exact",
}
"""The Web UI's ways to enlarge latents, each with torch's name of it."""
_LONGEST_SIDE = 16_384
_OWN_VAE = {"enum": list(fields.SETTINGS_UNLESS["sd_vae"])}
_ROUNDED = 64
"""Most pixels by which a side is rounded to what the checkpoint can do."""
_MISPLACED = "{kind} takes no {field}; send the kind {better}"


def _sampler(given: str) -> str:
    if samplers.sampler_named(given) is None:
        raise ValueError(_none_of(given, samplers.SAMPLERS))
    return given


def _schedule(given: str) -> str:
    if (known := samplers.schedule_named(given)) is None:
        raise ValueError(_none_of(given, samplers.SCHEDULES))
    return known


def _hr_upscaler(given: str) -> str:
    """Spell a latent upscaler as the Web UI does; other names are files of weights."""
    if not given.lower().startswith("latent"):
        return given
    known = next((name for name in LATENT_UPSCALERS if name.lower() == given.lower()), None)
    if known is None:
        raise ValueError(_none_of(given, tuple(LATENT_UPSCALERS)))
    return known


def _none_of(given: str, there: tuple[str, ...]) -> str:
    return f"no {given[:40]!r}; there is: {', '.join(there)}"


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Side = Annotated[int, Field(ge=1, le=_LONGEST_SIDE)]
SamplerName = Annotated[
    str,
    AfterValidator(_sampler),
    WithJsonSchema(samplers.SCHEMA),
]
ScheduleName = Annotated[
    str,
    AfterValidator(_schedule),
    WithJsonSchema({"enum": list(samplers.SCHEDULES)}),
]


class Overrides(BaseModel):
    """Settings of the Web UI, for this task."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    sd_model_checkpoint: str | None = None
    """Name of the checkpoint that draws; the runtime's own if left out."""
    CLIP_stop_at_last_layers: Annotated[int, Field(ge=1, le=12)] = 1
    """Clip skip: 2 leaves out the text encoder's last layer."""
    sd_vae: Annotated[str, WithJsonSchema(_OWN_VAE)] = "Automatic"
    """VAE; only the checkpoint's own can be taken."""


class Request(BaseModel):
    """Request with the fields that are honoured; others are ignored or refused."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    unless: ClassVar[fields.Harmless] = {}
    """Fields of the Web UI that are refused unless they have one of these values."""
    misplaced: ClassVar[Mapping[str, str]] = {}
    """Fields of another kind of task that would change the picture, each with what to do."""

    @classmethod
    def read(cls, content: Any, options: Options | None = None) -> Self:
        """Take a task's content as this request.

        Raises:
            TaskFailed: naming each wrong field, what it must be and what was given.
        """
        request, faults = cls.judged(content, options or Options())
        refuse(faults)
        if request is None:
            raise TypeError("a request without faults was not made")
        return request

    @classmethod
    def judged(cls, content: Any, options: Options) -> tuple[Self | None, list[Fault]]:
        """Take a content as this request, and find everything that is wrong with it."""
        if not isinstance(content, dict):
            return None, [Fault("", NOT_AN_OBJECT)]
        given = {str(key): value for key, value in content.items() if value is not None}
        faults = [*object_faults(given), *cls._field_faults(given)]
        faults += [*extension_faults(given), *setting_faults(given)]
        try:
            request = cls.model_validate(cls.gathered(given))
        except ValidationError as exc:
            return None, [*faults, *faults_in(exc)]
        return request, [*faults, *request.rules(given, options)]

    @classmethod
    def gathered(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The honoured fields, with what ``alwayson_scripts`` carries where the Web UI has it."""
        return {key: value for key, value in given.items() if key in cls.model_fields}

    def rules(self, given: Mapping[str, Any], options: Options) -> Iterator[Fault]:
        """Find what is wrong between fields that are right by themselves."""
        del given, options
        yield from ()

    @classmethod
    def unless_of(cls, given: Mapping[str, Any]) -> fields.Harmless:
        """The fields that this very request may not have, unless with one of these values."""
        del given
        return cls.unless

    @classmethod
    def most(cls, options: Options) -> Mapping[str, int]:
        """The largest value of some fields under a runtime's options."""
        del options
        return {}

    @classmethod
    def _field_faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        for field in sorted(given.keys() - fields.KNOWN):
            yield Fault(field[:80], unknown(field, sorted(fields.KNOWN)))
        yield from unhonoured(given, cls.unless_of(given))
        for field, remedy in cls.misplaced.items():
            if given.get(field):
                yield Fault(field, remedy)


class TextToImage(Request):
    """The body of ``/sdapi/v1/txt2img``."""

    unless: ClassVar[fields.Harmless] = fields.DRAWN_UNLESS
    misplaced: ClassVar[Mapping[str, str]] = {
        field: _MISPLACED.format(kind="text-to-image", field="picture", better="image-to-image")
        for field in ("init_images", "mask")
    }

    prompt: str = ""
    """Words to paint; knows ``(word:1.2)``, ``[word]``, ``BREAK``, ``<lora:name:weight>``."""
    negative_prompt: str = ""
    """Description of what the picture must not show."""
    seed: Annotated[int, Field(ge=-1, lt=2**63)] = -1
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
    """The schedule of the noise."""
    batch_size: Positive = 1
    """Pictures that are painted at the same time."""
    n_iter: Positive = 1
    """Batches, one after another."""
    send_images: bool = True
    override_settings: Overrides = Overrides()

    enable_hr: bool = False
    """Whether a second pass paints the picture again, larger."""
    hr_scale: Annotated[float, Field(ge=1, le=8)] = 2.0
    hr_upscaler: Annotated[str, AfterValidator(_hr_upscaler)] = "Latent"
    """Name of an upscaler: a latent one, or an upscaler's file."""
    hr_second_pass_steps: Annotated[int, Field(ge=0, le=150)] = 0
    """Steps of the second pass; 0: as many as in the first."""
    hr_resize_x: Annotated[int, Field(ge=0, le=_LONGEST_SIDE)] = 0
    hr_resize_y: Annotated[int, Field(ge=0, le=_LONGEST_SIDE)] = 0
    denoising_strength: Share = 0.75
    """Strength of repainting the given or the first pass's picture: 0 keeps it, 1 replaces it."""

    @classmethod
    @override
    def gathered(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        # Some older clients send an index by name, and both fields empty or "None" mean Euler.
        name = given.get("sampler_name") or given.get("sampler_index")
        named = {"sampler_name": name} if name and name != "None" else {}
        own = {k: v for k, v in super().gathered(given).items() if k != "sampler_name"}
        return own | named | {"override_settings": _settings(given)}

    @classmethod
    @override
    def unless_of(cls, given: Mapping[str, Any]) -> fields.Harmless:
        second = given.get("enable_hr") not in (None, False, "false", "False", "0")
        return {**cls.unless, **(fields.SECOND_PASS_UNLESS if second else {})}

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
        if self.width and self.height and self.width * self.height > options.max_pixels:
            yield too_many_pixels("width", self.width, self.height, options.max_pixels)
        elif self.width and self.height and self.enable_hr:
            yield from self._second_pass_faults(self.width, self.height, options.max_pixels)

    @property
    def pictures(self) -> int:
        return self.batch_size * self.n_iter

    @property
    def echo(self) -> dict[str, Any]:
        """The request as understood, without pictures."""
        return self.model_dump(exclude={"init_images", "mask"})

    def _second_pass_faults(self, width: int, height: int, most: int) -> Iterator[Fault]:
        """Sides are rounded to what the checkpoint can do, so only what is clear is told."""
        by_x, by_y = self.hr_resize_x / width, self.hr_resize_y / height
        larger = int(width * (by_x or by_y or self.hr_scale))
        higher = int(height * (by_y or by_x or self.hr_scale))
        if (larger - _ROUNDED) * (higher - _ROUNDED) > most:
            yield too_many_pixels("hr_scale", larger, higher, most)

    def _prompt_faults(self) -> Iterator[Fault]:
        for field, text in (("prompt", self.prompt), ("negative_prompt", self.negative_prompt)):
            for message in unsupported(text):
                yield Fault(field, message)
        for message in wrong_tags(self.prompt):
            yield Fault("prompt", message)


class ImageToImage(TextToImage):
    """The body of ``/sdapi/v1/img2img``."""

    unless: ClassVar[fields.Harmless] = {
        **fields.DRAWN_UNLESS,
        **fields.PAINTED_OVER_UNLESS,
    }
    misplaced: ClassVar[Mapping[str, str]] = {}

    init_images: tuple[Picture, ...] = ()
    """The picture to start from, as base64 or a link; or one for each of a batch."""
    mask: Picture | None = None
    """Mask, whose white part is painted anew."""
    mask_blur: Annotated[int, Field(ge=0, le=64)] = 4
    """Pixels of the mask's feather."""
    inpainting_fill: Annotated[int, Field(ge=0, le=3)] = 0
    """Filling under the mask at first: 0 its surroundings, 1 the picture, 2 noise, 3 nothing."""
    inpainting_mask_invert: bool = False
    inpaint_full_res: bool = True
    """Whether the masked part alone is painted, at the full size."""
    inpaint_full_res_padding: Annotated[int, Field(ge=0, le=1024)] = 0
    resize_mode: Annotated[int, Field(ge=0, le=2)] = 0
    """Way to bring the picture to the size: 0 stretched, 1 cropped, 2 with borders."""

    @classmethod
    @override
    def unless_of(cls, given: Mapping[str, Any]) -> fields.Harmless:
        del given
        return cls.unless

    @classmethod
    @override
    def gathered(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The second pass is text-to-image's alone; the Web UI does not look at it here."""
        link = object_at(given, "alwayson_scripts").get("image_link")
        own = {k: v for k, v in super().gathered(given).items() if k not in fields.SECOND_PASS}
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


class Upscaling(Request):
    """Fields by which both extra requests say how to upscale."""

    unless: ClassVar[fields.Harmless] = fields.UPSCALED_UNLESS

    resize_mode: Annotated[int, Field(ge=0, le=1)] = 0
    """Size by: 0 ``upscaling_resize``; 1 ``upscaling_resize_w`` x ``upscaling_resize_h``."""
    upscaling_resize: Annotated[float, Field(gt=0, le=16)] = 2.0
    upscaling_resize_w: Positive = 512
    upscaling_resize_h: Positive = 512
    upscaling_crop: bool = True
    upscaler_1: str = "None"
    """The name of an upscaler's file, or Lanczos, Nearest, None."""
    upscaler_2: str = "None"
    extras_upscaler_2_visibility: Share = 0.0
    """Opacity of the second upscaler's picture over the first's, from 0 to 1."""


class ExtraSingle(Upscaling):
    """The body of ``/sdapi/v1/extra-single-image``."""

    misplaced: ClassVar[Mapping[str, str]] = {
        "imageList": _MISPLACED.format(
            kind="extra-single-image", field="list", better="extra-batch-images"
        )
    }

    image: Annotated[Picture, Field(min_length=1)]
    """The picture, as base64 or a link."""


class NamedImage(BaseModel):
    """A picture with a name."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    data: Picture
    name: str = ""


class ExtraBatch(Upscaling):
    """The body of ``/sdapi/v1/extra-batch-images``."""

    imageList: Annotated[tuple[NamedImage, ...], Field(min_length=1)]  # noqa: N815  # its name

    @classmethod
    @override
    def gathered(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        bare = given.get("imageList", given.get("images"))
        if not isinstance(bare, list):
            return super().gathered(given)
        named = [{"data": each} if isinstance(each, str) else each for each in bare]
        return super().gathered(given) | {"imageList": named}

    @override
    def rules(self, given: Mapping[str, Any], options: Options) -> Iterator[Fault]:
        if len(self.imageList) > options.max_pictures:
            yield Fault(
                "imageList",
                f"{len(self.imageList)} pictures are more than the "
                f"{options.max_pictures} allowed in one task",
            )


def too_many_pixels(field: str, width: int, height: int, most: int) -> Fault:
    """Say that a picture would be too large."""
    return Fault(field, f"{width}x{height} has more than the {most} pixels allowed in one picture")


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    scripts = object_at(given, "alwayson_scripts")
    known = {key: scripts[key] for key in ("sd_model_checkpoint", "sd_vae") if scripts.get(key)}
    return known | {key: value for key, value in settings_in(given).items() if value is not None}
