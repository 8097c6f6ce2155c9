"""Settings of the Web UI and extensions' arguments, which a request carries beside its fields."""

from collections.abc import Iterator, Mapping
from typing import Any

from models.runtimes.content import Fault, shown, unknown
from models.runtimes.diffusers import fields, setting_names
from models.runtimes.diffusers.fates import Refusals
from models.runtimes.diffusers.overrides import HONOURED
from models.runtimes.webui import ROUTING, object_at

KNOWN_SETTINGS = (*HONOURED, *setting_names.REFUSED, *setting_names.IGNORED)
"""Settings that are known; any other is refused as misspelt."""


def unhonoured(given: Mapping[str, Any], refused: Refusals, under: str = "") -> Iterator[Fault]:
    """Find the fields that would change the picture and are not honoured."""
    for field in refused.keys() & given.keys():
        value, refusal = given[field], refused[field]
        if value is None or refusal.is_harmless(value):
            continue
        yield Fault(
            f"{under}{field}",
            f"{shown(value)} is not supported by this runtime ({refusal.reason}); "
            f"leave it out or send {refusal.unless[0]!r}",
        )


def setting_faults(given: Mapping[str, Any]) -> Iterator[Fault]:
    """Find settings that nobody knows, or that would change the picture and are not honoured."""
    scripts = object_at(given, "alwayson_scripts")
    yield from unhonoured({"sd_vae": scripts.get("sd_vae")}, _VAE, "alwayson_scripts.")
    for under, settings in (
        ("override_settings.", object_at(given, "override_settings")),
        ("alwayson_scripts.override_settings.", object_at(scripts, "override_settings")),
    ):
        yield from unhonoured(settings, setting_names.REFUSED, under)
        for name in settings:
            if name not in _KNOWN:
                is_field = name in fields.KNOWN
                message = _FIELD if is_field else unknown(str(name), KNOWN_SETTINGS, "setting")
                yield Fault(f"{under}{name[:80]}", message)


def extension_faults(given: Mapping[str, Any]) -> Iterator[Fault]:
    """Find extensions that would do something."""
    for name, script in object_at(given, "alwayson_scripts").items():
        if name not in ROUTING and _does_something(script):
            yield Fault(
                "alwayson_scripts", f"the extension {shown(name)} is not supported by this runtime"
            )


_VAE = {"sd_vae": setting_names.REFUSED["sd_vae"]}
_KNOWN = frozenset(KNOWN_SETTINGS)
_FIELD = "is no setting but a field of the request; send it beside override_settings"


def _does_something(script: Any) -> bool:
    args = script.get("args") if isinstance(script, dict) else script
    if isinstance(args, list):
        return any(_is_enabled(arg) for arg in args)
    return bool(args)


def _is_enabled(arg: Any) -> bool:
    # A unit of ControlNet that says nothing of it is switched on.
    return bool(arg.get("enabled", True)) if isinstance(arg, dict) else bool(arg)
