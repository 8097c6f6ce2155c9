"""What the double is doing, and what goes wrong with it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response, StreamingResponse


def hung_up() -> Response:
    """An answer in the midst of which the connection is closed."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"{"
        raise ConnectionError

    return StreamingResponse(broken())


@dataclass
class Faults:
    """What goes wrong, until it is taken back."""

    draws_with: dict[str, Any] = field(default_factory=dict)
    """What ``info`` says it drew with instead."""
    answers: list[Exception | Response] = field(default_factory=list)
    """Instead of the next pictures, one after the other."""
    deaf: bool = False
    """It does not heed an interrupt."""
    keeps_checkpoint: bool = False
    """It answers 200 to another checkpoint, and keeps the one it has."""
    hidden: frozenset[str] = frozenset()
    """Paths that this server does not have."""


@dataclass
class State:
    """The one state that the whole server has, as ``/progress`` tells it."""

    job: str = ""
    job_no: int = 0
    job_count: int = 0
    sampling_step: int = 0
    sampling_steps: int = 0
    interrupted: bool = False
    skipped: bool = False

    def begin(self, job: str) -> None:
        """As the real ones: ``sampling_steps`` stays what it was, an interrupt is forgotten."""
        self.job, self.job_no, self.job_count = job, 0, -1
        self.sampling_step, self.interrupted, self.skipped = 0, False, False

    def end(self) -> None:
        self.job, self.job_count = "", 0
