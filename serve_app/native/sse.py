"""Server-sent events of a task.

An event's id has three parts: the boot of the board that published the update, the update's number
there, and the event's place among those that the update gives.
"""

import base64
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from functools import lru_cache

import filetype
from fastapi.sse import format_sse_event
from pydantic import BaseModel

from models.event import Event
from models.native import PreviewEvent, StatusEvent
from models.report import Progress, Report, Stage, Status
from serve_app.native.views import Views, progress_view
from serve_app.watching.estimates import Estimates
from serve_app.watching.feed import Feed
from serve_app.watching.timeline import LEDGER, StillAdmitted, timeline, while_admitted

HEARTBEAT = b": still here\n"
"""Comment that keeps the connection open; some clients take an empty line for an event's end."""

_RETRY_MS = 2000
_LONGEST_NUMBER = 15

Named = tuple[str, BaseModel]
"""Name of an event, and its data."""


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """Place of a client in the stream: the last event that it has read."""

    boot: str = ""
    number: int = 0
    place: int = 0

    @classmethod
    def after(cls, id: str | None) -> "Cursor":  # noqa: A002
        """Read the id of an event; a foreign id leads to the beginning."""
        match (id or "").split("."):
            case [boot, number, place] if _is_number(number) and _is_number(place):
                return cls(boot=boot, number=int(number), place=int(place))
            case _:
                return cls()

    def is_end_of(self, report: Report) -> bool:
        """Tell whether a client at this place has read the end of a task."""
        last = Cursor(boot=LEDGER, number=1, place=len(report.artifacts) + 1)
        return report.ended and self == last

    def has(self, event: Event, place: int) -> bool:
        """Tell whether a client at this place has read an event at a place of an update."""
        return (event.boot, event.number) == (self.boot, self.number) and place <= self.place


class EventStream:
    """Stream of a task's events to one client."""

    def __init__(
        self,
        report: Report,
        cursor: Cursor,
        views: Views,
        estimates: Estimates,
        still_admitted: StillAdmitted,
    ) -> None:
        """Start behind a client's place; goes on while ``still_admitted`` says so of its key."""
        self._report = report
        self._still_admitted = still_admitted
        self._cursor = cursor
        self._views = views
        self._estimates = estimates
        self._stage = Stage.RUNNING
        self._last_status: StatusEvent | None = None
        self._id = f"{LEDGER}.0.0"

    async def events(self, feed: Feed, most: int) -> AsyncGenerator[bytes, None]:
        """Yield the events behind the client's place, and heartbeats while there are none.

        Ends with the task; after ``most`` bytes, where the client reconnects and goes on; and when
        its key is refused.
        """
        cursor, sent, size = self._cursor, float("-inf"), 0
        # One number back: of the last update the client may have read only the first events.
        updates = timeline(feed, self._report, cursor.boot, cursor.number - 1)
        stream = while_admitted(updates, feed, self._still_admitted)
        async with aclosing(stream):
            async for happened in stream:
                parts = [part for event in happened for part in await self._parts(event)]
                silent = feed.clock() - sent >= feed.intervals.heartbeat
                if not parts and self._report.status is Status.QUEUED:
                    parts = await self._moved_in_queue(silent=silent)
                if not parts and silent:
                    parts = [HEARTBEAT]
                if parts:
                    chunk = b"".join(parts)
                    yield chunk
                    sent, size = feed.clock(), size + len(chunk)
                if size >= most:
                    return

    async def _parts(self, event: Event) -> Sequence[bytes]:
        """Encode what an update adds to what the client has read."""
        parts: Sequence[bytes]
        match event.update:
            case Progress() as progress:
                parts = _progress(event.boot, event.number, progress)
            case Stage() as stage:
                self._stage = stage
                parts = _encoded(event.boot, event.number, await self._status())
            case Report(ended=True) as report:
                parts = _encoded(event.boot, event.number, await self._end(report))
            case Report() as report:
                self._report = replace(self._report, status=report.status, attempt=report.attempt)
                self._stage = Stage.RUNNING
                parts = _encoded(event.boot, event.number, await self._status())
        self._id = f"{event.boot}.{event.number}.{len(parts)}"
        return [part for place, part in enumerate(parts, 1) if not self._cursor.has(event, place)]

    async def _moved_in_queue(self, *, silent: bool) -> list[bytes]:
        """Encode the status again if what the task waits for has changed.

        After a ``silent`` while another estimate of its end is enough. It has the id of the event
        before, so that a client that goes on there misses nothing.
        """
        return [_part(self._id, *named) for named in await self._status(timed=silent)]

    async def _status(self, *, timed: bool = False) -> Sequence[Named]:
        """Make a status event, unless the client has the same already, up to its estimate.

        ``timed``: the estimate counts, too.
        """
        wait = await self._estimates.wait(self._report, self._stage)
        event = StatusEvent(
            status=self._report.status, attempt=self._report.attempt, **asdict(wait)
        )
        last = self._last_status
        if last and not timed:
            last = last.model_copy(update={"eta_seconds": wait.eta_seconds})
        if event == last:
            return ()
        self._last_status = event
        return [("status", event)]

    async def _end(self, report: Report) -> Sequence[Named]:
        artifacts = await self._views.artifacts(report)
        end = await self._views.task(report)
        return [*(("artifact", artifact) for artifact in artifacts), ("end", end)]


@lru_cache(maxsize=64)  # all watchers of a task get the same bytes
def _progress(boot: str, number: int, progress: Progress) -> Sequence[bytes]:
    named: list[Named] = [("progress", progress_view(progress))]
    if progress.preview:
        kind = filetype.guess_mime(progress.preview) or "application/octet-stream"
        data = base64.b64encode(progress.preview).decode()
        named.append(("preview", PreviewEvent(content_type=kind, data=data)))
    return _encoded(boot, number, named)


def _encoded(boot: str, number: int, named: Sequence[Named]) -> Sequence[bytes]:
    return [_part(f"{boot}.{number}.{place}", *one) for place, one in enumerate(named, 1)]


def _part(id: str, name: str, data: BaseModel) -> bytes:  # noqa: A002
    return format_sse_event(event=name, data_str=data.model_dump_json(), id=id, retry=_RETRY_MS)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= _LONGEST_NUMBER
