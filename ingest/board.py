"""The board: what happens to submissions now, for followers, and which of them are to be stopped.

Each ingest replica has one, in its memory. It is no truth: after a restart it knows nothing, and
the ledger does.
"""

import itertools
import secrets
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from ingest.followers import Followers
from ingest.paces import Hold, Paces
from ingest.snapshots import Snapshots
from ingest.stops import Stops
from models.event import Event, Update
from models.live import Live, Pace
from models.report import Report


class Board(Live):
    """Publishes updates of submissions, remembers them for a while, and stops runs."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.boot = secrets.token_hex(4)
        """Random id by which events tell the life of this board from another's."""
        self.stops = Stops()
        self._began = clock()
        self._numbers = itertools.count(1)
        self._held: Counter[str] = Counter()
        """Count of the deliveries of each submission that ingest holds."""
        self._snapshots = Snapshots()
        self._followers = Followers()
        self.runtimes = Paces(clock)

    def publish(self, submission: str, update: Update) -> None:
        """Publish an update of a submission to its followers."""
        event = Event(
            submission=submission, boot=self.boot, number=next(self._numbers), update=update
        )
        self._snapshots.add(event)
        self._followers.publish(event)

    @contextmanager
    def holding(self, runtime: str, submission: str, sent: float = 0) -> Iterator[Hold]:
        """Mark a submission as held: ingest has its delivery, and notifies of its end.

        ``sent``: when its message was sent, in epoch seconds; 0 if that is not known.
        """
        self._held[submission] += 1
        try:
            with self.runtimes.of(runtime).holding(sent) as hold:
                yield hold
        finally:
            self._held -= Counter([submission])  # forgets a submission at zero
            # What was published twice can be held twice; only the last delivery lets go.
            if submission not in self._held:
                self.stops.release(submission)
                self._snapshots.release(submission)

    def is_likely_new(self, submission: str, sent: float) -> bool:
        """Tell whether a submission is likely neither stopped nor over.

        A cancel of a message that was sent (in epoch seconds) before the board was up is not known
        here, nor is an end that is long past.
        """
        return sent > self._began and not (
            self.stops.is_stopped(submission) or self._snapshots.has_ended(submission)
        )

    async def follow(self, follower: str) -> AsyncGenerator[Sequence[Event], None]:
        with self._followers.following(follower) as subscription:
            yield []  # confirms the subscription
            while True:
                yield await subscription.take()

    async def watch(
        self, follower: str, more: Sequence[str], no_more: Sequence[str]
    ) -> Mapping[str, Sequence[Event]] | None:
        if (subscription := self._followers.get(follower)) is None:
            return None
        subscription.watched.difference_update(no_more)
        # Nothing awaits between these two: an event is in the snapshot, or it comes as news.
        subscription.watched.update(more)
        return {submission: self._snapshots.events(submission) for submission in more}

    async def stop(self, report: Report) -> None:
        self.stops.stop(report.submission)
        if report.submission not in self._held:  # else its worker publishes the end
            self.publish(report.submission, report)

    async def paces(self) -> Mapping[str, Pace]:
        return self.runtimes.now()
