"""The type ``fake``: a simulated GPU."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from models.part import Part
from models.runtimes.type import RuntimeType
from models.task import Kind

MOST_PICTURES = 100
"""Pictures of one task, at most."""

Milliseconds = Annotated[float, Field(ge=0)]
Pixels = Annotated[int, Field(ge=1, le=8192)]


class Options(Part):
    """What the simulated GPU is like."""

    gpu_ms: Milliseconds = 50
    """GPU time of a task, whatever it asks for."""
    load_ms: Milliseconds = 0
    """Time to load a checkpoint."""
    steps: Annotated[int, Field(ge=1)] = 4
    width: Pixels = 64
    height: Pixels = 64
    pictures: Annotated[int, Field(ge=1, le=MOST_PICTURES)] = 1
    """For a task that does not say."""
    payload_bytes: Annotated[int, Field(ge=0)] = 0
    """Each picture is about so large, with noise."""
    preview_every: Annotated[int, Field(ge=0)] = 0
    """Steps from one preview to the next; 0 for none, since drawing one takes a real CPU."""
    checkpoints: tuple[str, ...] = ()
    """All that there are; empty means any name is one."""
    log: Path | None = None
    """A JSONL file with the start and end of all GPU work."""


FAKE = RuntimeType(name="fake", kinds=frozenset(Kind), options=Options)
