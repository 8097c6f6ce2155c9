# No `from __future__ import annotations` here: FastAPI reads the endpoints' annotations.
"""Operations of the native API on tasks."""

import logging
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, aclosing, nullcontext, suppress
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.sse import EventSourceResponse
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from models.errors import Unavailable
from models.ledger import Search
from models.native import TaskList, TaskRequest, TaskView
from models.report import Report, Status
from models.task import Task
from serve_app.auth import Holder
from serve_app.context import Front
from serve_app.native.accepted import AcceptedTask, accept
from serve_app.native.authentication import stream_slot, task_request
from serve_app.native.idempotency import Idempotency
from serve_app.native.parameters import (
    IdempotencyKey,
    LastEventId,
    ListQuery,
    Number,
    SubmissionQuery,
    TaskId,
    WaitQuery,
)
from serve_app.native.problems import ProblemKind
from serve_app.native.sse import Cursor, EventStream
from serve_app.native.views import Views
from serve_app.watching.estimates import Estimates
from serve_app.watching.timeline import Run, StillAdmitted, end_of, run_of

log = logging.getLogger("ray.serve.atelier.api")

_UNKNOWN = "No such task is known."
_NOT_YET = (
    f"{_UNKNOWN} One that was published by SNS is known once it was received;"
    " ?submission=<its MessageId> cancels it before that."
)

_NO_STREAMS_HERE = (
    "This way in ends each answer within seconds; the front on the cluster sends events."
    " Here, ask for the task again, or submit with ?wait=."
)


class EventResponse(EventSourceResponse):
    """Response of server-sent events, each sent at once; ends when its client has read all."""

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        # Proxies would gather events, to compress them or, as nginx does, to fill a buffer.
        headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
        super().__init__(events, headers=headers)
        self._events = events

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, send)
        await _until_read(receive)

    @override
    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._events):  # a client that leaves watches no more
            await super().stream_response(send)


class Tasks:
    """Endpoints that submit, find, list, watch and cancel tasks."""

    def __init__(self, front: Front, estimates: Estimates) -> None:
        self.front = front
        self.estimates = estimates
        self.idempotency = Idempotency(submit=front.submit, claims=front.claims, clock=front.clock)

    async def submit(
        self,
        request: Request,
        response: Response,
        body: Annotated[TaskRequest, Depends(task_request)],
        query: Annotated[WaitQuery, Query()],
        key: IdempotencyKey = None,
    ) -> TaskView:
        """Submit a task; with `?wait=` it is answered when it has ended, or that time is over."""
        front = self.front
        holder: Holder = request.state.holder
        accepted = accept(body, holder.name, front)
        wait = min(query.wait, front.longest_answer or query.wait)
        with self._wait_slot(accepted, wait):
            task, published = await self.idempotency.publish(accepted, key)
            _note("submission_accepted" if published else "submission_repeated", request, task)
            report = published or await self._noted(task, holder)
            still_admitted = self._still_admitted(request)
            if wait and (ended := await end_of(front.feed, report, wait, still_admitted)):
                report, response.status_code = ended, HTTPStatus.OK
        view = await self._view(request, report)
        response.headers["Location"] = view.status_url
        if not published:
            response.headers["Idempotency-Replayed"] = "true"
        return view

    async def find(
        self,
        id: TaskId,  # noqa: A002
        request: Request,
        query: Annotated[SubmissionQuery, Query()],
    ) -> TaskView:
        """What is known of a task now."""
        return await self._view(request, await self._report(request, id, query.submission))

    async def search(self, request: Request, query: Annotated[ListQuery, Query()]) -> TaskList:
        """Tasks, the newest first; without their positions and progress."""
        configured = tuple(self.front.runtimes.names)
        search = Search(
            runtimes=tuple(dict.fromkeys(map(str.lower, query.runtime))) or configured,
            statuses=tuple(dict.fromkeys(query.status)) or tuple(Status),
            key=_owner_listed(request, query.key),
            since=query.since,
            until=query.until,
        )
        try:
            page = await self.front.ledger.search(search, query.limit, query.cursor)
        except ValueError:
            raise ProblemKind.INVALID.at(
                "cursor", "must be the `next` of the page before"
            ) from None
        views = self._views(request)
        return TaskList(tasks=tuple([await views.task(r) for r in page.reports]), next=page.next)

    async def cancel(
        self,
        id: TaskId,  # noqa: A002
        request: Request,
        query: Annotated[SubmissionQuery, Query()],
    ) -> TaskView:
        """End a task; what is told is how it ended, which may have happened before."""
        holder: Holder = request.state.holder
        submission = query.submission or (await self._report(request, id, None)).submission
        report = await self.front.cancel(id, submission, holder.limited_to)
        if report is None:
            raise ProblemKind.NOT_FOUND.problem(_UNKNOWN)
        _note("cancel_asked", request, report)
        return await self._view(request, report)

    async def events(
        self,
        id: TaskId,  # noqa: A002
        request: Request,
        query: Annotated[SubmissionQuery, Query()],
        _: Annotated[None, Depends(stream_slot)],
        last: LastEventId = None,
    ) -> Response:
        """What happens to a task, first what is known; its end is the last event."""
        if self.front.longest_answer is not None:
            raise ProblemKind.NOT_HERE.problem(_NO_STREAMS_HERE)
        report = await self._report(request, id, query.submission)
        cursor = Cursor.after(last)
        if cursor.is_end_of(report):
            return Response(status_code=HTTPStatus.NO_CONTENT)
        views, still_admitted = self._views(request), self._still_admitted(request)
        event_stream = EventStream(report, cursor, views, self.estimates, still_admitted)
        most = self.front.limits.streams.max_bytes
        return EventResponse(event_stream.events(self.front.feed, most))

    async def artifact(
        self,
        id: TaskId,  # noqa: A002
        n: Number,
        request: Request,
        query: Annotated[SubmissionQuery, Query()],
    ) -> Response:
        """Where an artifact can be had, for an hour at most; 0 is the runtime's whole answer."""
        report = await self._report(request, id, query.submission)
        artifact = await self._views(request).artifact(report, n)
        if artifact is None:
            raise ProblemKind.NOT_FOUND.problem(f"It has {len(report.artifacts)} artifacts now.")
        return RedirectResponse(artifact.url)

    def _still_admitted(self, request: Request) -> StillAdmitted:
        """Make the check of a request's key that is repeated while a long answer is under way."""
        key = request.headers.get("x-api-key", "").encode("latin-1")
        return partial(self.front.keys.still_admits, key, request.state.holder)

    def _wait_slot(self, accepted: AcceptedTask, wait: float) -> AbstractContextManager[None]:
        """Hold a slot for a submission that waits; entered before publishing, as it may be refused.

        Raises:
            Full: no slot is free.
        """
        return self.front.capacity.waits.held(accepted.holder) if wait else nullcontext()

    async def _report(
        self,
        request: Request,
        id: str,  # noqa: A002
        submission: str | None,
    ) -> Report:
        """Find the report on a task of the holder; others' tasks count as unknown.

        Raises:
            Problem: the holder has no such task.
        """
        holder: Holder = request.state.holder
        report = await self.front.ledger.find(id, submission, holder.limited_to)
        if report is None:
            cancels = request.method == "DELETE" and holder.limited_to is None
            raise ProblemKind.NOT_FOUND.problem(_NOT_YET if cancels else _UNKNOWN)
        return report

    async def _noted(self, task: Task, holder: Holder) -> Report:
        """Return the ledger's report on a task that was published before, or one like it."""
        with suppress(Unavailable):  # the task is published all the same, and its worker notes it
            if report := await self.front.ledger.find(task.id, task.submission):
                return report
        now = self.front.clock()
        report = Report.of(task, Status.QUEUED)
        return replace(report, key=holder.name, created=now, updated=now)

    async def _view(self, request: Request, report: Report) -> TaskView:
        running = report.status is Status.RUNNING
        run = await run_of(self.front.feed, report.submission) if running else Run()
        wait = await self.estimates.wait(report, run.stage)
        return await self._views(request).task(report, wait, run.progress)

    def _views(self, request: Request) -> Views:
        return Views(objects=self.front.objects, base=str(request.base_url))


def _owner_listed(request: Request, named: str | None) -> str | None:
    """Return the name of the key whose tasks are listed; None: everybody's."""
    holder: Holder = request.state.holder
    mine = holder.limited_to
    if mine is not None and named not in (None, mine):
        raise ProblemKind.FORBIDDEN.problem(
            "Only an operator's key lists others' tasks; leave the parameter `key` out."
        )
    return mine or named


async def _until_read(receive: Receive) -> None:
    """Wait until the client has read the answer or has left; a server says "disconnect" for both.

    Serve's proxy takes an answer as fast as it comes and keeps it in memory: only this tells that
    a client has read it.
    """
    while (await receive())["type"] != "http.disconnect":
        pass


def _note(event: str, request: Request, of: Task | Report) -> None:
    holder: Holder = request.state.holder
    context = {"api": "v1", "holder": holder.name, **of.log_context()}
    log.info(event, extra=context)
