"""Starts of replicas: how long they take."""

from models.backoff import Backoff

_NEWEST_WEIGHT = 0.3


class Starts:
    """Measures the seconds from wanting a replica to its running; ``seconds`` is their average.

    Replicas that are there are told apart by number alone: the one that comes first is taken for
    the one that was wanted first.
    """

    def __init__(self) -> None:
        self.seconds: float | None = None
        """Moving average in which the newest has the weight 0.3; None before the first."""
        self._wanted: list[float] = []
        self._unmeasured = 0
        """Number of the first wanted ones that are not to be measured."""
        self._running = 0

    def note(self, target: int, running: int, now: float) -> None:
        """Note how many replicas are wanted and run; ``now`` is of a monotonic clock."""
        for _ in range(min(running - self._running, len(self._wanted))):
            since = self._wanted.pop(0)
            if self._unmeasured:
                self._unmeasured -= 1
            else:
                self._measure(now - since)
        missing = max(target - running, 0)
        self._unmeasured = min(self._unmeasured, missing)
        # What is no longer wanted is taken from those wanted last.
        self._wanted = self._wanted[:missing]
        self._wanted += [now] * (missing - len(self._wanted))
        self._running = running

    def skip(self, running: int) -> None:
        """Measure none of so many that are wanted now: they ran before anybody measured here."""
        self._unmeasured = min(running, len(self._wanted))

    def longest(self, now: float) -> float:
        """Return the seconds for which the first of those that start has been wanted."""
        return now - self._wanted[0] if self._wanted else 0.0

    def _measure(self, seconds: float) -> None:
        before = seconds if self.seconds is None else self.seconds
        self.seconds = before + _NEWEST_WEIGHT * (seconds - before)


class Retry:
    """Decides when a runtime whose starts Serve has given up is to be started anew.

    Serve ends its tries where the first starts of a version have all failed, three for each replica
    that is wanted; it begins again once none was wanted for a moment. Where it has a minimum of
    replicas it keeps to that whatever is wanted, and tries again only when another version is
    deployed.
    """

    _BACKOFF = Backoff(first=30, longest=600)

    def __init__(self) -> None:
        self._failures = 0
        self._due: float | None = None

    def is_now(self, given_up: bool, now: float) -> bool:
        """Tell whether no replica is to be wanted now, so that Serve begins again.

        ``given_up``: Serve has ended its tries. It is True until Serve says otherwise, from 30 s
        after it gave up first, and from 10 minutes after it did so again and again.
        """
        if not given_up:
            self._due = None
            return False
        if self._due is None:
            self._failures += 1
            self._due = now + self._BACKOFF.pause(self._failures)
        return now >= self._due

    def forgive(self) -> None:
        """Forget the failures so far: a replica has started."""
        self._failures = 0
