"""Settings of the Web UI that this runtime honours, as ``override_settings`` has them."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from models.runtimes.diffusers.setting_names import REFUSED
from models.runtimes.webui import object_at, settings_in

_OWN_VAE = {"enum": list(REFUSED["sd_vae"].unless)}


class Overrides(BaseModel):
    """Settings of the Web UI, for this task."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    sd_model_checkpoint: str | None = None
    """Name of the checkpoint that draws; the runtime's own if left out."""
    CLIP_stop_at_last_layers: Annotated[int, Field(ge=1, le=12)] = 1
    """Clip skip: 2 leaves out the text encoder's last layer."""
    sd_vae: Annotated[str, WithJsonSchema(_OWN_VAE)] = "Automatic"
    """VAE; only the checkpoint's own can be taken."""
    enable_prompt_comments: bool = True
    """Flag: what stands behind a ``#`` in a line of a prompt is dropped."""


HONOURED = tuple(name for name in Overrides.model_fields if name not in REFUSED)
"""Names of the settings that count."""


def overrides_in(given: Mapping[str, Any]) -> dict[str, Any]:
    """Gather a request's settings from all places where clients put them."""
    scripts = object_at(given, "alwayson_scripts")
    known = {key: scripts[key] for key in ("sd_model_checkpoint", "sd_vae") if scripts.get(key)}
    return known | {key: value for key, value in settings_in(given).items() if value is not None}
