"""Stories of submissions: what a client did, what it was answered, and when."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bench.chaos.plan import Plan


@dataclass(kw_only=True)
class Story:
    """Story of one submission, written while it goes on."""

    plan: Plan
    accepted_at: float = 0
    """Moment of the first answer that it was accepted, in seconds since 1970; 0: none came."""
    tries: int = 0
    """Requests and publications that may each have had an effect."""
    submissions: set[str] = field(default_factory=set)
    """Submissions that answers named."""
    cancelled: bool = False
    """Flag: a cancel was answered with the status "cancelled"."""
    lines: list[str] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        return self.accepted_at > 0

    def note(self, words: str) -> None:
        """Add a line to the story, with its moment in UTC."""
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.lines.append(f"{moment} {words}")

    def accept(self, submission: str | None = None) -> None:
        """Note that the platform has taken it, as this submission where the answer said so."""
        self.accepted_at = self.accepted_at or time.time()
        if submission is not None:
            self.submissions.add(submission)
