"""Snapshots of the submissions that ingest holds, and of those that ended lately."""

from collections import OrderedDict
from collections.abc import Sequence

from models.event import Event, Snapshot
from models.report import Report

_ENDED_KEPT = 1_000


class Snapshots:
    """Keeps the newest state of submissions for followers who come late.

    The last 1,000 that ended are kept, without their previews; what is still running is kept until
    ``release``.
    """

    def __init__(self) -> None:
        self._snapshots: dict[str, Snapshot] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        """Submissions that ended, in the order in which their snapshots are dropped."""

    def add(self, event: Event) -> None:
        """Take an event into the snapshot of its submission."""
        snapshot = self._snapshots.setdefault(event.submission, Snapshot())
        snapshot.add(event)
        if isinstance(event.update, Report) and event.update.ended:
            snapshot.drop_preview()
            self._drop_later(event.submission)

    def events(self, submission: str) -> Sequence[Event]:
        """Events of a submission's snapshot, oldest first; empty if none is kept."""
        snapshot = self._snapshots.get(submission)
        return snapshot.since(0) if snapshot else []

    def has_ended(self, submission: str) -> bool:
        """Tell whether a submission is one of those that ended lately."""
        return submission in self._ended

    def release(self, submission: str) -> None:
        """Drop the snapshot of a submission that ingest no longer holds, unless it has ended."""
        if submission not in self._ended:
            self._snapshots.pop(submission, None)

    def _drop_later(self, submission: str) -> None:
        self._ended[submission] = None
        if len(self._ended) > _ENDED_KEPT:
            dropped, _ = self._ended.popitem(last=False)
            self._snapshots.pop(dropped, None)
