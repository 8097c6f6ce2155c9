"""The options of runtimes whose backend is a process or a server."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from models.part import Part

Seconds = Annotated[float, Field(gt=0)]
Value = Annotated[str, Field(coerce_numbers_to_str=True)]


class Process(Part):
    """The backend's process, or the URL of one that somebody else runs."""

    command: tuple[str, ...] = ()
    """Program and arguments; ``{port}`` in an argument stands for the port."""
    url: Annotated[str, Field(pattern=r"^https?://[^/]+/?$")] | None = None
    """Of a server that already runs; nothing is started."""
    environment: Annotated[Mapping[str, Value], Field(repr=False)] = {}
    """Added to the little that is kept of the replica's own; never printed."""
    folder: Path | None = None
    """Working folder."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """On loopback; 0: a free one."""
    ready_seconds: Seconds = 600
    stop_seconds: Seconds = 10
    """From asking it to end to ending it."""
    memory_mib: Annotated[int, Field(ge=1)] | None = None
    """Memory of it and all that it started, past which it is replaced between tasks."""
    threads: Annotated[int, Field(ge=1)] | None = None
    """Threads of its numerical libraries; None: the replica's."""

    @model_validator(mode="after")
    def _either(self) -> Self:
        if bool(self.command) == bool(self.url):
            raise ValueError("either command or url is needed, and not both")
        return self


class ServedOptions(Part):
    """Options of a runtime whose backend is a process or a server; subclass it."""

    backend: Process
    warm_up: Mapping[str, Any] | None = None
    """Content of a task that is run once before the first real one; its outcome is dropped."""
