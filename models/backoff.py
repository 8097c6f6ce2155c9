"""Backoff: pauses between tries that grow with each failure in a row."""

from dataclasses import dataclass

_MOST_STEPS = 60  # with more, a float would overflow


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """Pauses that begin with ``first`` seconds, grow by ``factor``, and stay below ``longest``.

    The count of failures is the caller's, as is what resets it and whether to add a jitter.
    """

    first: float
    longest: float
    factor: float = 2

    def pause(self, failures: int) -> float:
        """Return the seconds to wait after so many failures in a row; 0 after none."""
        if failures < 1:
            return 0.0
        return min(self.longest, self.first * self.factor ** min(failures - 1, _MOST_STEPS))
