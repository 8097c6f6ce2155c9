"""Stops: the submissions that were cancelled, and how to end their runs."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STOPS_KEPT = 100_000
_STOPPER_SECONDS = 10.0


class Stops:
    """Remembers the last 100,000 submissions that were stopped, and ends their runs."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._runs: dict[str, list[Callable[[], object]]] = defaultdict(list)
        """Functions that end the runs under way, by submission."""
        self._stopped: OrderedDict[str, float] = OrderedDict()
        """End of the time that the stopper has to notify, by submission; 0: the worker notifies."""

    def stop(self, submission: str, *, held: bool) -> None:
        """End its runs, now and to come; who stops one that ingest does not hold also notifies."""
        # The first stop decides who notifies: a second cancel would begin the 10 seconds again.
        self._stopped.setdefault(submission, 0 if held else self.clock() + _STOPPER_SECONDS)
        if len(self._stopped) > _STOPS_KEPT:
            self._stopped.popitem(last=False)
        # By `get`: indexing would keep an empty list of every submission that is ever stopped.
        for end in list(self._runs.get(submission, ())):
            end()

    @contextmanager
    def running(self, submission: str, end: Callable[[], object]) -> Iterator[None]:
        """Register a run, which ``end`` ends; at once if the submission was stopped before."""
        self._runs[submission].append(end)
        try:
            if self.is_stopped(submission):
                end()
            yield
        finally:
            self._runs[submission].remove(end)

    def is_stopped(self, submission: str) -> bool:
        """Tell whether a submission was stopped."""
        return submission in self._stopped

    def is_notified_by_stopper(self, submission: str) -> bool:
        """Tell whether the one who stopped it is about to notify: for 10 seconds, if none held it.

        After that the stopper is taken for dead, and whoever receives the delivery notifies.
        """
        return self.clock() < self._stopped.get(submission, 0)

    def release(self, submission: str) -> None:
        """Drop the list of runs of a submission that ingest no longer holds."""
        self._runs.pop(submission, None)
