"""What happens to a task, as server-sent events.

The id of each has three parts: the life of the board that said it, its number there, and its place
among the events that one thing said gives.
"""

import base64
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import lru_cache

import filetype
from fastapi.sse import format_sse_event
from pydantic import BaseModel

from models.event import Event
from models.native import PreviewEvent, StatusEvent
from models.progress import Progress
from models.report import Report, Status
from serve_app.native.views import Views, progress_view
from serve_app.watching.estimates import Estimates
from serve_app.watching.feed import Feed
from serve_app.watching.timeline import LEDGER, LetIn, timeline, while_let_in

HEARTBEAT = b": still here\n"
"""A comment; no empty line behind it, which some clients take for the end of an empty event."""

_RETRY_MS = 2000
_LONGEST_NUMBER = 15

Named = tuple[str, BaseModel]
"""An event's name and its data."""


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """Where a client is in what it was told."""

    boot: str = ""
    number: int = 0
    k: int = 0

    @classmethod
    def after(cls, id: str | None) -> "Cursor":  # noqa: A002
        """After the event of this id; at the beginning, where that is no id of ours."""
        match (id or "").split("."):
            case [boot, number, k] if _is_number(number) and _is_number(k):
                return cls(boot=boot, number=int(number), k=int(k))
            case _:
                return cls()

    def is_end_of(self, report: Report) -> bool:
        """Whether a client that is here was told how it ended."""
        last = Cursor(boot=LEDGER, number=1, k=len(report.artifacts) + 1)
        return report.ended and self == last

    def has(self, event: Event, k: int) -> bool:
        """Whether a client that is here was told this part of it."""
        return (event.boot, event.number) == (self.boot, self.number) and k <= self.k


class EventStream:
    """Tells one client what happens to a task."""

    def __init__(
        self, report: Report, cursor: Cursor, views: Views, estimates: Estimates, let_in: LetIn
    ) -> None:
        """Tell from a place on, for as long as ``let_in`` says that the client's key is good."""
        self._report = report
        self._let_in = let_in
        self._cursor = cursor
        self._views = views
        self._outlook = estimates
        self._told: tuple[Status, int, int | None] | None = None
        self._id = f"{LEDGER}.0.0"

    async def events(self, feed: Feed, most: int) -> AsyncGenerator[bytes, None]:
        """Stream a submission's events from the client's place on; heartbeats while there is none.

        Ends early after ``most`` bytes, where the client goes on in a stream of its own, and when
        its key is refused.
        """
        cursor, sent, size = self._cursor, float("-inf"), 0
        told = timeline(feed, self._report, cursor.boot, cursor.number - 1)
        stream = while_let_in(told, feed, self._let_in)
        async with aclosing(stream):
            async for happened in stream:
                parts = [part for event in happened for part in await self._parts(event)]
                if not parts and self._report.status is Status.QUEUED:
                    parts = await self._place_in_queue()
                if not parts and feed.clock() - sent >= feed.rhythm.heartbeat:
                    parts = [HEARTBEAT]
                if parts:
                    chunk = b"".join(parts)
                    yield chunk
                    sent, size = feed.clock(), size + len(chunk)
                if size >= most:
                    return

    async def _parts(self, event: Event) -> Sequence[bytes]:
        """What this event adds to what the client was told."""
        match event.update:
            case Progress() as progress:
                parts = _progress(event.boot, event.number, progress)
            case Report(ended=True) as report:
                parts = _encoded(event.boot, event.number, await self._end(report))
            case Report() as report:
                self._report = replace(self._report, status=report.status, attempt=report.attempt)
                parts = _encoded(event.boot, event.number, await self._status())
        self._id = f"{event.boot}.{event.number}.{len(parts)}"
        return [part for k, part in enumerate(parts, 1) if not self._cursor.has(event, k)]

    async def _place_in_queue(self) -> list[bytes]:
        """Its status again, if its position has changed.

        It has the id of the event before, so that a client that goes on there misses nothing.
        """
        return [_part(self._id, *named) for named in await self._status()]

    async def _status(self) -> Sequence[Named]:
        """Its status, unless it was told like this."""
        wait = await self._outlook.wait(self._report)
        told = (self._report.status, self._report.attempt, wait.position)
        if told == self._told:
            return ()
        self._told = told
        status, attempt, position = told
        event = StatusEvent(
            status=status, attempt=attempt, position=position, eta_seconds=wait.eta_seconds
        )
        return [("status", event)]

    async def _end(self, report: Report) -> Sequence[Named]:
        artifacts = await self._views.artifacts(report)
        end = await self._views.task(report)
        return [*(("artifact", artifact) for artifact in artifacts), ("end", end)]


@lru_cache(maxsize=64)  # all who watch a task are told the same
def _progress(boot: str, number: int, progress: Progress) -> Sequence[bytes]:
    named: list[Named] = [("progress", progress_view(progress))]
    if progress.preview:
        kind = filetype.guess_mime(progress.preview) or "application/octet-stream"
        data = base64.b64encode(progress.preview).decode()
        named.append(("preview", PreviewEvent(content_type=kind, data=data)))
    return _encoded(boot, number, named)


def _encoded(boot: str, number: int, named: Sequence[Named]) -> Sequence[bytes]:
    return [_part(f"{boot}.{number}.{k}", *one) for k, one in enumerate(named, 1)]


def _part(id: str, name: str, data: BaseModel) -> bytes:  # noqa: A002
    return format_sse_event(event=name, data_str=data.model_dump_json(), id=id, retry=_RETRY_MS)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= _LONGEST_NUMBER
