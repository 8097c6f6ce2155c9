"""What a request of the Web UI carries beside its fields: settings, routing keys, extensions."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from deployments.fields import ROUTING, scripts_of, settings_of
from models.errors import TaskFailed

_LONGEST = 60


class Overrides(BaseModel):
    """``override_settings``: what is not named here is tolerated."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    sd_model_checkpoint: str | None = None
    CLIP_stop_at_last_layers: Annotated[int, Field(ge=1, le=12)] = 1
    sd_vae: str = "Automatic"


def gathered(given: Mapping[str, Any]) -> dict[str, Any]:
    """The request with what ``alwayson_scripts`` carries put where the Web UI has it."""
    scripts = scripts_of(given)
    _refuse_extensions(scripts)
    settings = _settings(given, scripts)
    link = scripts.get("image_link")
    images = {"init_images": [link]} if link else {}
    return {**given, **images, "override_settings": settings}


def _settings(given: Mapping[str, Any], scripts: Mapping[str, Any]) -> dict[str, Any]:
    known = {key: scripts[key] for key in ("sd_model_checkpoint", "sd_vae") if scripts.get(key)}
    known |= {key: value for key, value in settings_of(given).items() if value is not None}
    if known.get("sd_vae", "Automatic") not in ("Automatic", "None", ""):
        raise TaskFailed(
            f"sd_vae: {short(known['sd_vae'])} is not supported by this runtime, which takes "
            "the checkpoint's own; leave it out or send 'Automatic'"
        )
    return known


def _refuse_extensions(scripts: Mapping[str, Any]) -> None:
    for name, script in scripts.items():
        if name not in ROUTING and _does_something(script):
            raise TaskFailed(
                f"alwayson_scripts: the extension {name!r} is not supported by this runtime"
            )


def _does_something(script: Any) -> bool:
    args = script.get("args") if isinstance(script, dict) else script
    if isinstance(args, list):
        return any(_enabled(arg) for arg in args)
    return bool(args)


def _enabled(arg: Any) -> bool:
    return bool(arg.get("enabled", True)) if isinstance(arg, dict) else bool(arg)


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
