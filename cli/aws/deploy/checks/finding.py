"""What a look found."""

from dataclasses import dataclass
from typing import Literal

State = Literal["there", "missing", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    text: str
    remedy: str = ""
