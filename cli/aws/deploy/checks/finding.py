"""Finding of a preflight check."""

from dataclasses import dataclass
from typing import Literal

State = Literal["there", "missing", "note"]


@dataclass(frozen=True)
class Finding:
    """Result of a preflight check: what was looked for, what is there, and the remedy."""

    name: str
    state: State
    text: str
    remedy: str = ""
