"""The Web UI's requests, as far as this runtime honours them.

What it cannot honour and would change the picture is refused; what changes nothing is tolerated.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from deployments.runtimes.diffusers import samplers
from deployments.runtimes.diffusers.scripts import Overrides, gathered, short
from models.errors import TaskFailed

Some = TypeVar("Some", bound=BaseModel)
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    harmless: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    """Fields of the Web UI that are refused unless they have one of these values."""

    @classmethod
    def read(cls, content: Any) -> Self:
        """The request in a task's content.

        Raises:
            TaskFailed: naming each wrong field, what it must be and what was given.
        """
        if not isinstance(content, dict):
            raise TaskFailed("content: must be an object, the body of a Web UI request")
        given = {key: value for key, value in content.items() if value is not None}
        cls._refuse_unsupported(given)
        return validated(cls, gathered(given))

    @classmethod
    def _refuse_unsupported(cls, given: Mapping[str, Any]) -> None:
        for field, harmless in cls.harmless.items():
            if field in given and given[field] not in harmless:
                raise TaskFailed(
                    f"{field}: {short(given[field])} is not supported by this runtime; "
                    f"leave it out or send {harmless[0]!r}"
                )


class TextToImage(_Request):
    """The body of ``/sdapi/v1/txt2img``."""

    harmless: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "tiling": (False,),
        "restore_faces": (False,),
        "styles": ([], [""]),
        "script_name": ("", "None", "none"),
        "refiner_checkpoint": ("", "None", "none"),
        "subseed_strength": (0,),
        "seed_resize_from_w": (0, -1),
        "seed_resize_from_h": (0, -1),
        "s_churn": (0,),
    }

    prompt: str = ""
    negative_prompt: str = ""
    seed: Annotated[int, Field(ge=-1, lt=2**63)] = -1
    steps: Annotated[int, Field(ge=1, le=150)] = 50
    cfg_scale: Annotated[float, Field(ge=0, le=30)] = 7.0
    width: Positive | None = None
    height: Positive | None = None
    sampler_name: str = Field(default=samplers.DEFAULT)
    scheduler: str = samplers.AUTOMATIC
    batch_size: Positive = 1
    n_iter: Positive = 1
    send_images: bool = True
    override_settings: Overrides = Overrides()

    enable_hr: bool = False
    hr_scale: Annotated[float, Field(ge=1, le=8)] = 2.0
    hr_upscaler: str = "Latent"
    hr_second_pass_steps: Annotated[int, Field(ge=0, le=150)] = 0
    hr_resize_x: Annotated[int, Field(ge=0)] = 0
    hr_resize_y: Annotated[int, Field(ge=0)] = 0
    denoising_strength: Share = 0.75

    @model_validator(mode="before")
    @classmethod
    def _legacy_sampler(cls, given: dict[str, Any]) -> dict[str, Any]:
        # Some older clients send an index by name, and both fields empty or "None" mean Euler.
        name = given.get("sampler_name") or given.get("sampler_index")
        named = {"sampler_name": name} if name and name != "None" else {}
        return {k: v for k, v in given.items() if k != "sampler_name"} | named

    @property
    def sampler(self) -> samplers.Sampler:
        return samplers.sampler(self.sampler_name, self.scheduler)

    @property
    def pictures(self) -> int:
        return self.batch_size * self.n_iter

    @property
    def echo(self) -> dict[str, Any]:
        """The request as understood, without pictures."""
        return self.model_dump(exclude={"init_images", "mask"})


class ImageToImage(TextToImage):
    """The body of ``/sdapi/v1/img2img``."""

    init_images: tuple[str, ...] = ()
    mask: str | None = None
    mask_blur: Annotated[int, Field(ge=0, le=64)] = 4
    inpainting_fill: Annotated[int, Field(ge=0, le=3)] = 0
    inpainting_mask_invert: bool = False
    inpaint_full_res: bool = True
    inpaint_full_res_padding: Annotated[int, Field(ge=0, le=1024)] = 0
    resize_mode: Annotated[int, Field(ge=0, le=2)] = 0

    @model_validator(mode="before")
    @classmethod
    def _one_pass(cls, given: dict[str, Any]) -> dict[str, Any]:
        """The second pass is text-to-image's alone; the Web UI does not look at it here."""
        return {key: value for key, value in given.items() if key != "enable_hr"}


class Upscaling(_Request):
    """What both extra requests say of how to upscale."""

    harmless: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "gfpgan_visibility": (0,),
        "codeformer_visibility": (0,),
    }

    resize_mode: Annotated[int, Field(ge=0, le=1)] = 0
    upscaling_resize: Annotated[float, Field(gt=0, le=16)] = 2.0
    upscaling_resize_w: Positive = 512
    upscaling_resize_h: Positive = 512
    upscaling_crop: bool = True
    upscaler_1: str = "None"
    upscaler_2: str = "None"
    extras_upscaler_2_visibility: Share = 0.0


class ExtraSingle(Upscaling):
    """The body of ``/sdapi/v1/extra-single-image``."""

    image: Annotated[str, Field(min_length=1)]


class NamedImage(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    data: str
    name: str = ""


class ExtraBatch(Upscaling):
    """The body of ``/sdapi/v1/extra-batch-images``."""

    imageList: Annotated[tuple[NamedImage, ...], Field(min_length=1)]  # noqa: N815  # its name

    @model_validator(mode="before")
    @classmethod
    def _bare_images(cls, given: dict[str, Any]) -> dict[str, Any]:
        bare = given.get("imageList", given.get("images"))
        if not isinstance(bare, list):
            return given
        return given | {
            "imageList": [{"data": one} if isinstance(one, str) else one for one in bare]
        }


def validated(kind: type[Some], given: Mapping[str, Any]) -> Some:
    """The given fields as a model.

    Raises:
        TaskFailed: naming each wrong field, what it must be and what was given.
    """
    try:
        return kind.model_validate(given)
    except ValidationError as exc:
        lines = [_explain(error) for error in exc.errors(include_url=False)]
        raise TaskFailed("; ".join(lines)) from None


def _explain(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{field}: is missing"
    return f"{field}: {error['msg']} (given: {short(error['input'])})"
