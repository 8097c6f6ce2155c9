"""What happens to a submission, as those who watch it are told."""

from dataclasses import dataclass

from models.progress import Progress
from models.report import Report


@dataclass(frozen=True, kw_only=True)
class Event:
    """A report or a progress, in its place among all that the board said."""

    submission: str
    boot: str
    """Which life of the board said it; numbers start again in the next."""
    number: int
    said: Report | Progress
