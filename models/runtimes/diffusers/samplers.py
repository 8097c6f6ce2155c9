"""Names of samplers and noise schedules, as the Web UI writes and as clients spell them."""

import re
from collections.abc import Iterable

AUTOMATIC = "Automatic"
DEFAULT = "Euler"
SAMPLERS = (
    *("DPM++ 2M", "DPM++ SDE", "DPM++ 2M SDE", "DPM++ 2M SDE Heun", "DPM++ 3M SDE"),
    *("Euler a", "Euler", "LMS", "Heun", "DPM2", "DPM2 a"),
    *("DDIM", "DDPM", "PLMS", "UniPC", "DEIS", "LCM", "TCD"),
)
SECOND_ORDER = frozenset({"Heun", "DPM2", "DPM2 a", "DPM++ SDE"})
"""Samplers with two calls of the UNet a step."""
SCHEDULES = (
    AUTOMATIC,
    *("Karras", "Exponential", "Beta", "Uniform", "Normal", "Simple", "SGM Uniform"),
)
SCHEMA = {
    "anyOf": [
        {"enum": list(SAMPLERS)},
        {
            "type": "string",
            "pattern": f"^({'|'.join(map(re.escape, SAMPLERS))}) ({'|'.join(SCHEDULES)})$",
            "description": "As older clients write it: with its schedule.",
        },
    ]
}
"""JSON Schema of a sampler's name."""


def sampler_named(name: str) -> tuple[str, str | None] | None:
    """Find a sampler by any spelling of its name; older clients append its schedule.

    The schedule is None where the name has none; all is None where there is no such sampler.
    """
    if (plain := _found(SAMPLERS, name)) is not None:
        return plain, None
    for schedule in SCHEDULES:
        found = _found(SAMPLERS, name.lower().removesuffix(f" {schedule.lower()}"))
        if found is not None:
            return found, schedule
    return None


def calls_of(name: str) -> int:
    """Count the calls of the UNet in a step of the sampler of this name."""
    found = sampler_named(name)
    return 2 if found is not None and found[0] in SECOND_ORDER else 1


def schedule_named(name: str) -> str | None:
    """Find a noise schedule by any spelling of its name; an empty one is the sampler's own."""
    return _found(SCHEDULES, name or AUTOMATIC)


def _found(known: Iterable[str], name: str) -> str | None:
    """Find a name by its letters: the Web UI takes ``sgm_uniform`` for "SGM Uniform"."""
    plain = name.strip().lower().replace("_", " ")
    return next((each for each in known if each.lower() == plain), None)
