"""Types of the values in the Web UI's requests: names, sizes and shares."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from models.runtimes.diffusers import samplers
from models.runtimes.webui import is_latent

LATENT_UPSCALERS: Mapping[str, tuple[str, bool]] = {
    "Latent": ("bilinear", False),
    "Latent (antialiased)": ("bilinear", True),
    "Latent (bicubic)": ("bicubic", False),
    "Latent (bicubic antialiased)": ("bicubic", True),
    "Latent (nearest)": ("nearest", False),
    "Latent (nearest-exact)": ("nearest-exact", False),
}
"""Ways of the Web UI to enlarge latents, each with torch's name of it and whether it smooths."""
_LONGEST_SIDE = 16_384
_SAME = frozenset({"", "none", "use same checkpoint", "use same sampler", "use same scheduler"})
"""Values, in lower case, with which a field of the second pass names nothing of its own."""


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


def _of_its_own(given: Any) -> Any:
    """Read what names nothing of the second pass's own as None."""
    return None if isinstance(given, str) and given.strip().lower() in _SAME else given


def _seed(given: Any) -> Any:
    """Read an empty text as the seed that is drawn, as the Web UI does."""
    return -1 if given == "" else given


def _none_of(given: str, there: tuple[str, ...]) -> str:
    return f"no {given[:40]!r}; there is: {', '.join(there)}"


Share = Annotated[float, Field(ge=0, le=1)]
SmallFactor = Annotated[float, Field(ge=0, le=2)]
Churn = Annotated[float, Field(ge=0, le=100)]
ClipSkip = Annotated[int, Field(ge=1, le=12)]
Positive = Annotated[int, Field(ge=1)]
Side = Annotated[int, Field(ge=1, le=_LONGEST_SIDE)]
NoSide = Annotated[int, Field(ge=-1, le=_LONGEST_SIDE)]
Feather = Annotated[int, Field(ge=0, le=64)]
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
OwnName = Annotated[str | None, BeforeValidator(_of_its_own)]
"""Name of the second pass's own; None: it has what the first one has."""
OwnSamplerName = Annotated[
    SamplerName | None,
    BeforeValidator(_of_its_own),
    WithJsonSchema({"anyOf": [*samplers.SCHEMA["anyOf"], {"enum": ["", "Use same sampler"]}]}),
]
OwnScheduleName = Annotated[
    ScheduleName | None,
    BeforeValidator(_of_its_own),
    WithJsonSchema({"enum": ["", *samplers.SCHEDULES, "Use same scheduler"]}),
]
Seed = Annotated[int, BeforeValidator(_seed), Field(ge=-(2**63), lt=2**63)]
