"""Requests of the Web UI as its servers take them: types and needed fields.

Facts that a server knows better, such as its samplers, are left to it; a field that is nearly one
of its own is refused as misspelt.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from models.runtimes.webui import Picture, object_at

_LONGEST_SIDE = 16_384

Count = Annotated[int, Field(ge=1)]
Side = Annotated[int, Field(ge=1, le=_LONGEST_SIDE)]
Share = Annotated[float, Field(ge=0, le=1)]


class Request(BaseModel):
    """Request with the fields that are checked; others are passed on for the server to judge."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    needed: ClassVar[Mapping[str, str]] = {}
    """Fields that must hold something, each with what to send."""

    @classmethod
    def gathered(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take the request, with what the Web UI has in ``alwayson_scripts``."""
        return given

    @classmethod
    def lacking(cls, gathered: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Name the needed fields that hold nothing, each with what to send."""
        for field, remedy in cls.needed.items():
            if not gathered.get(field):
                yield field, remedy


class TextToImage(Request):
    """Body of ``/sdapi/v1/txt2img``."""

    prompt: str = ""
    """Description of the picture."""
    negative_prompt: str = ""
    """Description of what the picture must not show."""
    styles: tuple[str, ...] = ()
    seed: int = -1
    """Seed of the noise; -1: another each time."""
    subseed: int = -1
    subseed_strength: float = 0
    seed_resize_from_w: int = -1
    seed_resize_from_h: int = -1
    sampler_name: str = ""
    """Name of a sampler as the server lists it, in any case; a schedule may follow it."""
    sampler_index: str = ""
    scheduler: str = ""
    batch_size: Count = 1
    n_iter: Count = 1
    steps: Count = 50
    cfg_scale: float = 7.0
    width: Side = 512
    height: Side = 512
    restore_faces: bool = False
    tiling: bool = False
    eta: float | None = None
    denoising_strength: Share | None = None
    s_churn: float | None = None
    s_tmin: float | None = None
    s_tmax: float | None = None
    s_noise: float | None = None
    s_min_uncond: float | None = None
    refiner_checkpoint: str | None = None
    refiner_switch_at: Share | None = None
    enable_hr: bool = False
    """Flag: a second pass paints the picture again, larger."""
    firstphase_width: int = 0
    firstphase_height: int = 0
    hr_scale: Annotated[float, Field(gt=0)] = 2.0
    hr_upscaler: str | None = None
    hr_second_pass_steps: Annotated[int, Field(ge=0)] = 0
    hr_resize_x: Annotated[int, Field(ge=0, le=_LONGEST_SIDE)] = 0
    hr_resize_y: Annotated[int, Field(ge=0, le=_LONGEST_SIDE)] = 0
    hr_checkpoint_name: str | None = None
    hr_sampler_name: str | None = None
    hr_scheduler: str | None = None
    hr_prompt: str = ""
    hr_negative_prompt: str = ""
    script_name: str | None = None
    script_args: list[Any] = []
    send_images: bool = True
    save_images: bool = False
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    override_settings: dict[str, Any] = {}
    """Settings of the Web UI for this task, such as ``sd_model_checkpoint``."""
    override_settings_restore_afterwards: bool = True
    disable_extra_networks: bool = False
    force_task_id: str | None = None
    infotext: str | None = None
    alwayson_scripts: dict[str, Any] = {}
    """Extensions by their titles, and the guide's routing keys."""


class ImageToImage(TextToImage):
    """Body of ``/sdapi/v1/img2img``."""

    needed: ClassVar[Mapping[str, str]] = {
        "init_images": "one picture at least is needed, as base64 or a link"
    }

    init_images: tuple[Picture, ...] = ()
    """Picture to start from, as base64 or a link."""
    mask: Picture | None = None
    """Mask, whose white part is painted anew."""
    mask_blur: int | None = None
    mask_blur_x: int = 4
    mask_blur_y: int = 4
    mask_round: bool = True
    resize_mode: int = 0
    image_cfg_scale: float | None = None
    inpainting_fill: int = 0
    inpaint_full_res: bool = True
    inpaint_full_res_padding: int = 0
    inpainting_mask_invert: int = 0
    initial_noise_multiplier: float | None = None
    include_init_images: bool = False

    @classmethod
    def gathered(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        link = object_at(given, "alwayson_scripts").get("image_link")
        return {**given, "init_images": [link]} if link else given


class Upscaling(Request):
    """Fields by which both extra requests say how to upscale."""

    resize_mode: Annotated[int, Field(ge=0, le=1)] = 0
    """Way to give the size: 0 ``upscaling_resize``; 1 ``upscaling_resize_w`` x
    ``upscaling_resize_h``."""
    show_extras_results: bool = True
    gfpgan_visibility: Share = 0
    codeformer_visibility: Share = 0
    codeformer_weight: Share = 0
    upscaling_resize: Annotated[float, Field(gt=0)] = 2
    upscaling_resize_w: Count = 512
    upscaling_resize_h: Count = 512
    upscaling_crop: bool = True
    upscaler_1: str = "None"
    """Name of an upscaler as the server lists it, in any case."""
    upscaler_2: str = "None"
    extras_upscaler_2_visibility: Share = 0
    upscale_first: bool = False


class ExtraSingle(Upscaling):
    """Body of ``/sdapi/v1/extra-single-image``."""

    needed: ClassVar[Mapping[str, str]] = {"image": "is needed, as base64 or a link"}

    image: Picture = ""
    """Picture, as base64 or a link."""


class NamedImage(BaseModel):
    """Picture with a name."""

    data: Picture
    name: str = ""


class ExtraBatch(Upscaling):
    """Body of ``/sdapi/v1/extra-batch-images``."""

    needed: ClassVar[Mapping[str, str]] = {
        "imageList": "one picture at least is needed, as {data, name} or base64 or a link alone"
    }

    imageList: tuple[NamedImage | Picture, ...] = ()  # noqa: N815 - its name
    """Pictures as base64 or links."""


NOT_TYPED = frozenset(
    {
        *("comments", "firstpass_image", "latent_mask", "seed_enable_extras", "s3_output_path"),
        # Forge's
        *("hr_additional_modules", "hr_cfg", "hr_distilled_cfg", "distilled_cfg_scale"),
        # SD.Next's
        *("clip_skip", "full_quality", "hr_force", "hr_second_pass_steps", "hr_resize_mode"),
        *("hr_resize_context", "refiner_steps", "refiner_start", "refiner_prompt"),
        *(
            "refiner_negative",
            "resize_name",
            "resize_context",
            "cfg_end",
            "diffusers_guidance_rescale",
        ),
        *("pag_scale", "pag_adaptive", "face", "face_id", "ip_adapter", "extra", "detailer"),
        *("detailer_enabled", "mask_apply_overlay", "vae_type", "hidiffusion", "prompt_4"),
    }
)
"""Known fields of these servers whose values nobody judges here."""
KNOWN = frozenset(
    {
        *NOT_TYPED,
        *ImageToImage.model_fields,
        *ExtraSingle.model_fields,
        *ExtraBatch.model_fields,
    }
)
"""Fields that are known; one that another kind of task has is left to the server."""
