"""Options of the type ``diffusers``."""

from typing import Annotated, Literal

from pydantic import Field

from models.settings.base import Group

Positive = Annotated[int, Field(ge=1)]


class Options(Group):
    """Options of a diffusers runtime."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Positive | None = None
    """Threads of a computation on the CPU; None leaves it to torch."""
    keep: Positive = 1
    """Checkpoints that stay in memory."""
    allow_pickle: bool = False
    """Read ``.ckpt`` and ``.pth`` files, too (only their tensors are read)."""
    max_pictures: Positive = 16
    """Pictures of one task, ``batch_size`` times ``n_iter``."""
    max_pixels: Positive = 2048 * 2048
    """Pixels of one generated picture."""
    max_upscaled_pixels: Positive = 8192 * 8192
    """Pixels of one upscaled picture."""
    tile: Annotated[int, Field(ge=32)] = 256
    """Pixels of a side of the tiles in which a picture is upscaled."""
    preview_every: Annotated[int, Field(ge=0)] = 5
    """Steps from one preview to the next; 0 for none."""
    preview_side: Annotated[int, Field(ge=16, le=1024)] = 256
    """Pixels of a preview's longer side, at most."""
