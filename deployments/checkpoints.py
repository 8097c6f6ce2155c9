"""Weights files that a request of the Web UI's shape names; knows names only, and no file.

Looked into are the prompts, the request's own fields, its settings and the ControlNet extension.
Left out are textual inversions, which are plain words of a prompt, and other extensions' files.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from models.runtimes.webui import object_at, settings_in

# The name ends at the first colon; weights, which may be several, are passed over. A tag that is
# never closed takes nothing of the prompt behind it: no name holds an angle bracket.
_TAG = re.compile(r"<(?:lora|lyco|hypernet):\s*([^:<>]+?)\s*(?::[^<>]*)?>")
_BUILT_IN = frozenset(
    {
        *("", "none", "automatic", "lanczos", "nearest"),
        *("use same checkpoint", "use same choices", "use same vae"),
    }
)
"""Names, in lower case, that stand for no file; all that begin with `_LATENT` are further ones."""
_LATENT = "latent"
_EXTRA = "extra-"
"""Beginning of the kinds that only enlarge pictures."""


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
    return _of_generation(content) if needs_checkpoint(kind) else _of_extras(content)


def _of_extras(content: Mapping[str, Any]) -> Iterator[Any]:
    yield content.get("upscaler_1")
    yield content.get("upscaler_2")


def _of_generation(content: Mapping[str, Any]) -> Iterator[Any]:
    scripts, settings = object_at(content, "alwayson_scripts"), settings_in(content)
    yield content.get("refiner_checkpoint")
    yield settings.get("sd_vae", scripts.get("sd_vae"))
    yield from _listed(settings.get("forge_additional_modules"))  # VAE, text encoders
    yield from _tags(content, "prompt", "negative_prompt")
    # Without it the Web UI reads no field of the second pass, so their files are not needed.
    if content.get("enable_hr"):
        yield content.get("hr_checkpoint_name")
        yield from _listed(content.get("hr_additional_modules"))
        yield from _tags(content, "hr_prompt", "hr_negative_prompt")
        yield content.get("hr_upscaler")
    for extension in scripts:
        # The Web UI finds an extension by its title in whatever case.
        if str(extension).lower() == "controlnet":
            yield from _models(_listed(object_at(scripts, extension).get("args")))


def _tags(content: Mapping[str, Any], *fields: str) -> Iterator[str]:
    for field in fields:
        if isinstance(prompt := content.get(field), str):
            yield from _TAG.findall(prompt)


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
    lower = name.strip().lower()
    return lower not in _BUILT_IN and not lower.startswith(_LATENT)
