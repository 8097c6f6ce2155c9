"""The runtime's own settings, ``modelsRuntime[].options``."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AliasGenerator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from models.errors import SettingsError

Positive = Annotated[int, Field(ge=1)]


class Options(BaseModel):
    """What can be set for a diffusers runtime."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(alias=to_camel), extra="forbid", frozen=True
    )

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Positive | None = None
    """Threads of a computation on the CPU; None leaves it to torch."""
    keep: Positive = 1
    """Checkpoints that stay in memory."""
    allow_pickle: bool = False
    """Whether ``.ckpt`` and ``.pth`` files may be read (only their tensors are)."""
    max_pictures: Positive = 16
    """Pictures of one task, ``batch_size`` times ``n_iter``."""
    max_pixels: Positive = 2048 * 2048
    """Pixels of one generated picture."""
    max_upscaled_pixels: Positive = 8192 * 8192
    """Pixels of one upscaled picture."""
    tile: Annotated[int, Field(ge=32)] = 256
    """Side of the tiles in which a picture is upscaled."""

    @classmethod
    def read(cls, runtime: str, options: Mapping[str, Any]) -> Self:
        """Check what the configuration says.

        Raises:
            SettingsError: naming each wrong key and what is allowed.
        """
        try:
            return cls.model_validate(dict(options))
        except ValidationError as exc:
            told = "; ".join(_explain(error) for error in exc.errors(include_url=False))
            raise SettingsError(f"runtime {runtime}: {told}") from None


def _explain(error: Any) -> str:
    key = "options." + ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        allowed = sorted(field.alias or name for name, field in Options.model_fields.items())
        return f"{key}: unknown key; allowed: {', '.join(allowed)}"
    return f"{key}: {error['msg']} (given: {error['input']!r})"
