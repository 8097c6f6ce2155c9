"""How far a running task is."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Step ``step`` of ``of`` is done."""

    step: int
    of: int
    preview: bytes | None = None
    """A small picture of the state so far (PNG or JPEG), where the runtime gives one."""
