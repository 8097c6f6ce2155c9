"""State of the double, and its faults."""

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
    """Faults of the double, until they are taken back."""

    draws_with: dict[str, Any] = field(default_factory=dict)
    """Values in ``info`` that differ from the request's."""
    answers: list[Exception | Response] = field(default_factory=list)
    """Answers in place of the next pictures, one after the other."""
    deaf: bool = False
    """`True` to ignore interrupts."""
    keeps_checkpoint: bool = False
    """`True` to answer 200 to another checkpoint, and keep the current one."""
    hidden: frozenset[str] = frozenset()
    """Paths that this server does not have."""


@dataclass
class State:
    """State of the whole server, as ``/progress`` tells it."""

    job: str = ""
    job_no: int = 0
    job_count: int = 0
    sampling_step: int = 0
    sampling_steps: int = 0
    interrupted: bool = False
    skipped: bool = False

    def begin(self, job: str) -> None:
        """Begin as real servers do: ``sampling_steps`` is kept, an interrupt is forgotten."""
        self.job, self.job_no, self.job_count = job, 0, -1
        self.sampling_step, self.interrupted, self.skipped = 0, False, False

    def end(self) -> None:
        self.job, self.job_count = "", 0
