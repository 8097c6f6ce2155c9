"""Types of the values in the Web UI's requests: names, sizes and shares."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from models.runtimes.diffusers import samplers
from models.runtimes.webui import is_latent

LATENT_UPSCALERS: Mapping[str, str] = {
    "Latent": "bilinear",
    "Latent (antialiased)": "bilinear",
    "Latent (bicubic)": "bicubic",
    "Latent (bicubic antialiased)": "bicubic",
    "Latent (nearest)": "nearest",
    "Latent (nearest-exact)": "nearest-exact",
}
"""Ways of the Web UI to enlarge latents, each with torch's name of it."""
_LONGEST_SIDE = 16_384


def _sampler(given: str) -> str:
    if samplers.sampler_named(given) is None:
        raise ValueError(_none_of(given, samplers.SAMPLERS))
    return given


def _schedule(given: str) -> str:
    if (known := samplers.schedule_named(given)) is None:
        raise ValueError(_none_of(given, samplers.SCHEDULES))
    return known


def _upscaler(given: str) -> str:
    """Spell a latent upscaler as the Web UI does; other names are files of weights."""
    if not is_latent(given):
        return given
    known = next((name for name in LATENT_UPSCALERS if name.lower() == given.strip().lower()), None)
    if known is None:
        raise ValueError(_none_of(given, tuple(LATENT_UPSCALERS)))
    return known


def _none_of(given: str, there: tuple[str, ...]) -> str:
    return f"no {given[:40]!r}; there is: {', '.join(there)}"


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Side = Annotated[int, Field(ge=1, le=_LONGEST_SIDE)]
OptionalSide = Annotated[int, Field(ge=0, le=_LONGEST_SIDE)]
"""Pixels of a side; 0: the side is not given."""
SamplerName = Annotated[
    str,
    AfterValidator(_sampler),
    WithJsonSchema(samplers.SCHEMA),
]
ScheduleName = Annotated[
    str,
    AfterValidator(_schedule),
    WithJsonSchema({"enum": list(samplers.SCHEDULES)}),
]
UpscalerName = Annotated[str, AfterValidator(_upscaler)]
