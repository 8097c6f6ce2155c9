"""Weights files that a request of the Web UI's shape names; knows names only, and no file.

Looked into are the prompts, the request's own fields, its settings, the ControlNet extension and
the script "SD upscale". Left out are textual inversions, which are plain words of a prompt, and the
files of other extensions and scripts.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from models.runtimes.webui import flag, is_latent, object_at, settings_in
from models.task import Kind

# The name ends at the first colon; weights, which may be several, are passed over. A tag that is
# never closed takes nothing of the prompt behind it: no name holds an angle bracket. Blanks around
# a name are stripped later: matched here by parts of their own, a long run of them took seconds.
_TAG = re.compile(r"<(?:lora|lyco|hypernet):([^:<>]+)(?::[^<>]*)?>")
_BUILT_IN = frozenset(
    {
        *("", "none", "automatic", "lanczos", "nearest"),
        *("use same checkpoint", "use same choices", "use same vae"),
    }
)
"""Names, in lower case, that stand for no file."""
_EXTRA = "extra-"
"""Beginning of the kinds that only enlarge pictures."""
_SD_UPSCALE = "sd upscale"
"""Title, in lower case, of the Web UI's own script that enlarges a picture and redraws it."""


def requested_checkpoint(content: Any) -> str | None:
    """Find the checkpoint that a request names, wherever the Web UI or the guide lets it stand."""
    # In the order of `settings_in`: where a client sends both, what stands in the scripts wins.
    match content:
        case {"alwayson_scripts": {"override_settings": {"sd_model_checkpoint": str(name)}}}:
            return name or None
        case {"override_settings": {"sd_model_checkpoint": str(name)}}:
            return name or None
        case {"alwayson_scripts": {"sd_model_checkpoint": str(name)}}:
            return name or None
    return None


def needs_checkpoint(kind: str) -> bool:
    """Tell whether a kind of task is done by a checkpoint, and not by an upscaler alone."""
    return not kind.startswith(_EXTRA)


def needed_files(checkpoint: str | None, kind: str, content: Any) -> list[str]:
    """List a task's checkpoint, if any, and the other files that its request names, each once."""
    found = _others(kind, content) if isinstance(content, dict) else ()
    return list(dict.fromkeys([*filter(None, [checkpoint]), *filter(_is_file, found)]))


def _others(kind: str, content: Mapping[str, Any]) -> Iterator[Any]:
    if not needs_checkpoint(kind):
        yield from _of_extras(content)
        return
    yield from _of_generation(content)
    if kind == Kind.IMAGE_TO_IMAGE:
        yield from _of_enlarging(content)
    # Image-to-image has no second pass, and without `enable_hr` the Web UI reads no field of it.
    elif flag(content.get("enable_hr")):
        yield from _of_second_pass(content)
    yield from _of_controlnet(content)


def _of_extras(content: Mapping[str, Any]) -> Iterator[Any]:
    yield content.get("upscaler_1")
    yield content.get("upscaler_2")


def _of_generation(content: Mapping[str, Any]) -> Iterator[Any]:
    settings = settings_in(content)
    yield content.get("refiner_checkpoint")
    yield from (settings.get(key) for key in ("sd_vae", "sd_lora", "sd_hypernetwork"))
    yield from _listed(settings.get("forge_additional_modules"))  # VAE, text encoders
    yield from _tags(content, "prompt", "negative_prompt")


def _of_controlnet(content: Mapping[str, Any]) -> Iterator[Any]:
    scripts = object_at(content, "alwayson_scripts")
    for extension in scripts:
        # The Web UI finds an extension by its title in whatever case.
        if str(extension).lower() == "controlnet":
            yield from _models(_listed(object_at(scripts, extension).get("args")))


def _of_second_pass(content: Mapping[str, Any]) -> Iterator[Any]:
    yield content.get("hr_checkpoint_name")
    yield from _listed(content.get("hr_additional_modules"))
    yield from _tags(content, "hr_prompt", "hr_negative_prompt")
    upscaler = content.get("hr_upscaler")
    if not (isinstance(upscaler, str) and is_latent(upscaler)):
        yield upscaler


def _of_enlarging(content: Mapping[str, Any]) -> Iterator[Any]:
    yield settings_in(content).get("upscaler_for_img2img")
    match content:
        # The third argument is the upscaler: its name, or its number among those of the server.
        case {"script_name": str(title), "script_args": [_, _, upscaler, *_]}:
            if title.lower() == _SD_UPSCALE:
                yield upscaler


def _tags(content: Mapping[str, Any], *fields: str) -> Iterator[str]:
    for field in fields:
        if isinstance(prompt := content.get(field), str):
            yield from (name.strip() for name in _TAG.findall(prompt))


def _models(units: list[Any]) -> Iterator[Any]:
    """Yield the models of ControlNet's units, but for those that are switched off."""
    for unit in units:
        if isinstance(unit, dict) and unit.get("enabled", True):
            yield unit.get("model")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_file(name: Any) -> bool:
    if not isinstance(name, str):
        return False
    return name.strip().lower() not in _BUILT_IN
