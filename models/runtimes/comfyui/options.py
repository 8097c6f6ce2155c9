"""Options of the type ``comfyui``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from models.runtimes.backend import ServedOptions

Seconds = Annotated[float, Field(gt=0)]


class Options(ServedOptions):
    """Options of a ComfyUI runtime."""

    allow_nodes: frozenset[str] | None = None
    """Node classes that a graph may have; None: any."""
    allow_files: frozenset[str] = frozenset()
    """Names of files in ComfyUI's own folder of inputs that any graph may load."""
    allow_partial: bool = False
    """Run a graph of which ComfyUI accepts some outputs only."""
    previews: bool = True
    """Put the pictures that ComfyUI sends while it samples into the progress."""
    custom_nodes: tuple[Path, ...] = ()
    """Folders of node packs, besides ComfyUI's own."""
    model_paths: Mapping[str, tuple[Path, ...]] = {}
    """Further folders of weights, by ComfyUI's names: ``checkpoints``, ``loras``, ``vae`` …"""
    silence_seconds: Seconds = 30
    """Seconds without a message after which a prompt is looked for in ComfyUI's queue."""
    obey_seconds: Seconds = 30
    """Seconds in which ComfyUI must end a prompt that it is told to stop; else it is replaced."""
    keep_mib: Annotated[int, Field(ge=1)] = 8192
    """MiB of files that ComfyUI wrote past which it is replaced between tasks."""

    @model_validator(mode="after")
    def _ours_to_start(self) -> Self:
        if self.backend.url and (self.custom_nodes or self.model_paths):
            raise ValueError("customNodes and modelPaths need backend.command: nothing is started")
        return self
