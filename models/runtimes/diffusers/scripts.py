"""Settings of the Web UI and extensions' arguments, which a request carries beside its fields."""

from collections.abc import Iterator, Mapping
from typing import Any

from models.runtimes.content import Fault, shown, unknown
from models.runtimes.diffusers import fields
from models.runtimes.webui import ROUTING, object_at


def unhonoured(
    given: Mapping[str, Any], unless: fields.Harmless, under: str = ""
) -> Iterator[Fault]:
    """Find the fields that would change the picture and are not honoured."""
    for field in unless.keys() & given.keys():
        value = given[field]
        if value is None or value in unless[field]:
            continue
        if (same := fields.SAME_AS.get(field)) and value == given.get(same):
            continue
        yield Fault(
            f"{under}{field}",
            f"{shown(value)} is not supported by this runtime; "
            f"leave it out or send {unless[field][0]!r}",
        )


def setting_faults(given: Mapping[str, Any]) -> Iterator[Fault]:
    """Find settings that nobody knows, or that would change the picture and are not honoured."""
    scripts = object_at(given, "alwayson_scripts")
    yield from unhonoured({"sd_vae": scripts.get("sd_vae")}, _VAE, "alwayson_scripts.")
    for under, settings in (
        ("override_settings.", object_at(given, "override_settings")),
        ("alwayson_scripts.override_settings.", object_at(scripts, "override_settings")),
    ):
        yield from unhonoured(settings, fields.SETTINGS_UNLESS, under)
        for name in settings:
            if not _is_known(name):
                message = unknown(str(name), fields.KNOWN_SETTINGS, "setting")
                yield Fault(f"{under}{name[:80]}", message)


def extension_faults(given: Mapping[str, Any]) -> Iterator[Fault]:
    """Find extensions that would do something."""
    for name, script in object_at(given, "alwayson_scripts").items():
        if name not in ROUTING and _does_something(script):
            yield Fault(
                "alwayson_scripts", f"the extension {shown(name)} is not supported by this runtime"
            )


_VAE = {"sd_vae": fields.SETTINGS_UNLESS["sd_vae"]}


def _is_known(name: str) -> bool:
    return (
        name in fields.HONOURED_SETTINGS
        or name in fields.SETTINGS_UNLESS
        or fields.setting_without_effect(name)
    )


def _does_something(script: Any) -> bool:
    args = script.get("args") if isinstance(script, dict) else script
    if isinstance(args, list):
        return any(_is_enabled(arg) for arg in args)
    return bool(args)


def _is_enabled(arg: Any) -> bool:
    # A unit of ControlNet that says nothing of it is switched on.
    return bool(arg.get("enabled", True)) if isinstance(arg, dict) else bool(arg)
