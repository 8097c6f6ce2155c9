"""Progress of a training, printed line by line."""

from __future__ import annotations

import sys
import time

TELLINGS = 50


def say(line: str) -> None:
    """Print a line with the seconds of the clock and of the processor used so far."""
    sys.stdout.write(
        f"[{time.monotonic() - _START:6.0f} s, cpu {time.process_time():6.0f} s] {line}\n"
    )
    sys.stdout.flush()


class Progress:
    """The smoothed loss of one training, told fifty times over with the time that is left."""

    def __init__(self, name: str, steps: int) -> None:
        self.name = name
        self.steps = steps
        self.step = 0
        self.loss = 0.0
        self.start = time.monotonic()

    def tell(self, loss: float) -> None:
        """Count a step and its loss."""
        self.step += 1
        fresh = max(0.01, 1 / self.step)
        self.loss += (loss - self.loss) * fresh
        if self.step % max(1, self.steps // TELLINGS) == 0:
            left = (time.monotonic() - self.start) * (self.steps / self.step - 1)
            say(f"{self.name} {self.step}/{self.steps} loss {self.loss:.4f}, {left:.0f} s left")


_START = time.monotonic()
