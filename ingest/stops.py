"""Stops: the submissions that were cancelled, and how to end their runs."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STOPS_KEPT = 100_000


class Stops:
    """Remembers the last 100,000 submissions that were stopped, and ends their runs."""

    def __init__(self) -> None:
        self._runs: dict[str, list[Callable[[], object]]] = defaultdict(list)
        """Functions that end the runs under way, by submission."""
        self._stopped: OrderedDict[str, None] = OrderedDict()

    def stop(self, submission: str) -> None:
        """End the runs of a submission, now and to come."""
        self._stopped[submission] = None
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

    def release(self, submission: str) -> None:
        """Drop the list of runs of a submission that ingest no longer holds."""
        self._runs.pop(submission, None)
