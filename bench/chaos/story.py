"""Stories of submissions: what a client did, what it was answered, and when."""

import time
from dataclasses import dataclass, field

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
        """Add a line to the story, with the time of day."""
        now = time.time()
        clock = time.strftime("%H:%M:%S", time.gmtime(now))
        self.lines.append(f"{clock}{now % 1:.2f}"[:8] + f"{now % 1:.2f}"[1:] + f" {words}")

    def accept(self, submission: str | None = None) -> None:
        """Note that the platform has taken it, as this submission where the answer said so."""
        self.accepted_at = self.accepted_at or time.time()
        if submission is not None:
            self.submissions.add(submission)
