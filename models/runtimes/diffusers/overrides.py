"""Settings of the Web UI that this runtime honours, as ``override_settings`` has them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from models.runtimes.diffusers.setting_names import REFUSED
from models.runtimes.diffusers.values import Churn, ClipSkip, Share, SmallFactor
from models.runtimes.webui import object_at, settings_in

_OWN_VAE = {"enum": list(REFUSED["sd_vae"].unless)}


class Overrides(BaseModel):
    """Settings of the Web UI, for this task."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    sd_model_checkpoint: str | None = None
    """Name of the checkpoint that draws; the runtime's own if left out."""
    CLIP_stop_at_last_layers: ClipSkip = 1
    """Clip skip: 2 leaves out the text encoder's last layer."""
    sd_vae: Annotated[str, WithJsonSchema(_OWN_VAE)] = "Automatic"
    """VAE; only the checkpoint's own can be taken."""
    enable_prompt_comments: bool = True
    """Flag: what stands behind a ``#`` in a line of a prompt is dropped."""
    comma_padding_backtrack: Annotated[int, Field(ge=0, le=74)] = 20
    """Most tokens behind the last comma of a full chunk that go to the next one."""
    samples_format: Literal["png", "jpg", "jpeg", "webp"] = "png"
    """Format of the pictures."""
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 80
    """Quality of JPEG and of lossy WebP pictures."""
    webp_lossless: bool = False
    eta_ancestral: Share = 1.0
    """Strength of the noise that samplers add, where the field ``eta`` says nothing; not DDIM's."""
    eta_ddim: Share = 0.0
    """Strength of the noise that DDIM adds, where the field ``eta`` says nothing."""
    eta_noise_seed_delta: Annotated[int, Field(ge=-(2**53), le=2**53)] = 0
    """Difference of the seed from which samplers draw the noise that they add."""
    s_churn: Churn = 0.0
    """Noise that Euler, Heun and DPM2 add between their steps."""
    s_tmin: Annotated[float, Field(ge=0)] = 0.0
    """Least noise in a picture at which they add some."""
    s_tmax: Annotated[float, Field(ge=0)] = 0.0
    """Most noise in a picture at which they add some; 0: any."""
    s_noise: SmallFactor = 1.0
    """Factor of added noise, but of that of Euler a and DDIM."""
    initial_noise_multiplier: SmallFactor = 1.0
    """Factor of the noise that image-to-image begins with."""
    img2img_fix_steps: bool = False
    """Flag: image-to-image takes all steps however weak the change is."""
    img2img_color_correction: bool = False
    """Flag: the colours of a result are brought back to those of its source image."""


HONOURED = tuple(name for name in Overrides.model_fields if name not in REFUSED)
"""Names of the settings that count."""


def overrides_in(given: Mapping[str, Any]) -> dict[str, Any]:
    """Gather a request's settings from all places where clients put them."""
    name = object_at(given, "alwayson_scripts").get("sd_model_checkpoint")
    known = {"sd_model_checkpoint": name} if name else {}
    return known | {key: value for key, value in settings_in(given).items() if value is not None}
