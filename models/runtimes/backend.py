"""Options of runtimes whose backend is a process or a server."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from models.settings.base import Group

Seconds = Annotated[float, Field(gt=0)]
# YAML reads 1 as a number, and an environment has texts alone.
Value = Annotated[str, Field(coerce_numbers_to_str=True)]


class Process(Group):
    """Process of the backend, or the URL of a server that somebody else runs."""

    command: tuple[str, ...] = ()
    """Program and arguments; ``{port}`` in an argument stands for the port."""
    # Scheme, host and port: the paths behind them are the adapter's.
    url: Annotated[str, Field(pattern=r"^https?://[^/]+/?$")] | None = None
    """URL of a server that already runs; nothing is started."""
    environment: Annotated[Mapping[str, Value], Field(repr=False)] = {}
    """Environment variables, added to the few that are kept of the replica's own; never printed."""
    folder: Path | None = None
    """Working folder of the process."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Port on loopback; 0: a free one."""
    ready_seconds: Seconds = 600
    stop_seconds: Seconds = 10
    """Seconds between asking the backend to end and killing it."""
    memory_mib: Annotated[int, Field(ge=1)] | None = None
    """MiB of the backend's memory past which it is replaced between tasks; None: no bound."""
    threads: Annotated[int, Field(ge=1)] | None = None
    """Threads of the backend's numerical libraries; None: as many as the replica's."""

    @model_validator(mode="after")
    def _either(self) -> Self:
        if bool(self.command) == bool(self.url):
            raise ValueError("either command or url is needed, and not both")
        return self


class ServedOptions(Group):
    """Options of a runtime whose backend is a process or a server; subclass it."""

    backend: Process
    warm_up: Mapping[str, Any] | None = None
    """Content of a task that is run once before the first real one; its outcome is dropped."""
