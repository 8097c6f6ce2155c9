"""Parts of the Stable Diffusion Web UI's requests, whichever runtime takes them."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

from models.runtimes.content import MOST_FIELDS, MOST_ITEMS, Fault, shown

SCHEMES = ("http://", "https://", "s3://")
ROUTING = frozenset(
    {
        *("task", "id_task", "uid", "sd_model_checkpoint", "image_link", "save_dir", "sd_vae"),
        "override_settings",
    }
)
"""Keys of ``alwayson_scripts`` that are no extension: the guide's clients put them there."""
NOT_AN_OBJECT = "must be an object, the body of a Web UI request"

_FALSE = frozenset({"0", "off", "f", "false", "n", "no"})
_TRUE = frozenset({"1", "on", "t", "true", "y", "yes"})
# "Latent" and "Latent (nearest)"; "latent-sharp" is the name of a file.
_LATENT = re.compile(r"latent(?:[\s(]|$)", re.IGNORECASE)

# Of either alphabet, and with white space, since many encoders break the lines.
_BASE64 = re.compile(r"[A-Za-z0-9+/_=\s-]*")
_LONGEST_SCHEME = max(map(len, SCHEMES))
_LOOKED_AT = 200  # characters: what is no base64 shows it early


def is_link(text: str) -> bool:
    """Tell whether the text of a field of pictures is a link; blanks and case do not matter."""
    return text.lstrip()[:_LONGEST_SCHEME].lower().startswith(SCHEMES)


def _picture(given: str) -> str:
    if (
        given.lstrip().startswith("data:")
        or is_link(given)
        or _BASE64.fullmatch(given[:_LOOKED_AT])
    ):
        return given
    raise ValueError("must be a picture as base64, or a link to one (http, https or s3)")


Picture = Annotated[str, AfterValidator(_picture)]
"""Picture as base64, a data URL or a link; what is behind it is not looked at."""


def object_faults(content: Mapping[str, Any]) -> Iterator[Fault]:
    """Find fields that must be an object and are none."""
    scripts = content.get("alwayson_scripts")
    inner = scripts.get("override_settings") if isinstance(scripts, dict) else None
    for field, value in (
        ("alwayson_scripts", scripts),
        ("alwayson_scripts.override_settings", inner),
        ("override_settings", content.get("override_settings")),
    ):
        if value is not None and not isinstance(value, dict):
            yield Fault(field, f"must be an object (given: {shown(value)})")


def crowd_faults(content: Mapping[str, Any]) -> Iterator[Fault]:
    """Find objects and lists with so many entries that judging each would take long."""
    scripts = object_at(content, "alwayson_scripts")
    for field, fields in (
        ("", content),
        ("alwayson_scripts", scripts),
        ("alwayson_scripts.override_settings", object_at(scripts, "override_settings")),
        ("override_settings", object_at(content, "override_settings")),
    ):
        if len(fields) > MOST_FIELDS:
            yield Fault(field, f"{len(fields)} fields are more than the {MOST_FIELDS} allowed")
            return
    for field, value in content.items():
        if isinstance(value, list) and len(value) > MOST_ITEMS:
            yield Fault(field[:80], f"{len(value)} items are more than the {MOST_ITEMS} allowed")


def flag(value: Any) -> bool | None:
    """Read a flag as the Web UI does, from a text or a number, too; None if it is none."""
    match value:
        case bool():
            return value
        case 0 | 1:
            return bool(value)
        case str() if value.strip().lower() in _FALSE:
            return False
        case str() if value.strip().lower() in _TRUE:
            return True
        case _:
            return None


def is_latent(upscaler: str) -> bool:
    """Tell whether an upscaler's name is of the ways to enlarge latents, and of no file."""
    return _LATENT.match(upscaler.strip()) is not None


def object_at(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the object under a key; an empty one where there is none."""
    value = content.get(key)
    return value if isinstance(value, dict) else {}


def settings_in(content: Mapping[str, Any]) -> dict[str, Any]:
    """Gather the request's ``override_settings``; those in ``alwayson_scripts`` win.

    The guide's ``alwayson_scripts.sd_vae`` is the setting of that name, where there is none.
    """
    scripts = object_at(content, "alwayson_scripts")
    vae = {"sd_vae": scripts["sd_vae"]} if scripts.get("sd_vae") else {}
    inner = object_at(scripts, "override_settings")
    return {**vae, **object_at(content, "override_settings"), **inner}
