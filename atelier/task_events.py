"""Events of one task, over as many connections as it takes; or from polling it."""

import itertools
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from http import HTTPStatus

from atelier.caller import Caller
from atelier.errors import TimedOut, Unavailable, Unreachable
from atelier.events import Event, event_of
from atelier.tries import Tries
from models.backoff import Backoff
from models.native import StatusEvent, TaskView
from models.report import ENDED

_NOT_HERE = "urn:atelier:not-here"
_POLLING = Backoff(first=0.5, longest=5, factor=1.5)
_UNCOUNTED = 1_000_000  # tries: after a connection that went well the deadline alone counts


@dataclass
class TaskEvents:
    """Follows a task, and takes up a broken connection where it was."""

    caller: Caller
    path: str
    params: Mapping[str, str | None]
    until: float
    """Deadline, by `time.monotonic`."""
    last: str = field(default="", init=False)
    """Id of the newest event, sent as ``Last-Event-ID`` to go on after it."""
    well: bool = field(default=False, init=False)
    """Flag: the last connection brought something, or stayed for longer than a try may."""

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield events until the task has ended; the last one is its view.

        Raises:
            TimedOut: the deadline has passed first.
        """
        tries = self.caller.tries(self.until)
        while True:
            try:
                async with aclosing(self._stream(tries)) as stream:
                    async for event in stream:
                        yield event
                        if isinstance(event, TaskView):
                            return
                why = Unreachable("the stream of events ends before the task does")
            except Unavailable as exc:
                # Said by the edge, which never has events: another try is of no use.
                if exc.problem.type == _NOT_HERE:
                    break
                why = exc
            except Unreachable as exc:
                why = exc
            # Before another try, whose error would be the connection's and not that the time is up.
            if time.monotonic() >= self.until:
                raise TimedOut from why
            # A task may outlive many connections; one that worked does not count against the next.
            if self.well:
                self.well = False
                tries = self.caller.tries(self.until, most=_UNCOUNTED)
            await tries.again(why)
        async with aclosing(self._polls()) as looks:
            async for event in looks:
                yield event

    async def _polls(self) -> AsyncGenerator[Event, None]:
        """Poll the task where the platform has no events, as at the edge."""
        last = None
        for looks in itertools.count(1):
            view = await self.caller.call(TaskView, "GET", self.path, self.params)
            if view.status in ENDED:
                for artifact in view.artifacts:
                    yield artifact
                yield view
                return
            seen = StatusEvent.model_validate(view, from_attributes=True)
            if seen != last:
                yield seen
            last = seen
            pause = _POLLING.pause(looks)
            if time.monotonic() + pause >= self.until:
                raise TimedOut
            await self.caller.channel.sleep(pause)

    async def _stream(self, tries: Tries) -> AsyncGenerator[Event, None]:
        """Yield what one connection brings."""
        headers = {"accept": "text/event-stream"}
        if self.last:
            headers["last-event-id"] = self.last
        request = self.caller.request(
            "GET", f"{self.path}/events", params=self.params, headers=headers
        )
        response = await self.caller.ask(request, stream=True, tries=tries)
        if response.status_code == HTTPStatus.NO_CONTENT:  # the end came with an earlier connection
            yield await self.caller.call(TaskView, "GET", self.path, self.params)
            return
        began = time.monotonic()
        try:
            async with aclosing(self.caller.channel.events(response, self.until)) as sent:
                async for message in sent:
                    self.last, self.well = message.id or self.last, True
                    if event := event_of(message):
                        yield event
        finally:
            # A read that brings nothing for `timeout` seconds fails. So a connection that stood
            # longer was alive: keep-alive lines came, though no event.
            self.well |= time.monotonic() - began > self.caller.timeout
