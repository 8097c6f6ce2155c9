"""Client for an event loop; `atelier.blocking` has the same one for code without a loop."""

import json
import re
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

from pydantic import ValidationError

from atelier.artifacts import Artifacts, SaveProgress
from atelier.caller import Caller
from atelier.channel import AsyncChannel, Channel
from atelier.dead_letters import DeadLetterCalls
from atelier.errors import Misused, parsed
from atelier.events import Event
from atelier.files import Picture, picture
from atelier.task_events import TaskEvents
from models.native import (
    CallbackRequest,
    CheckpointList,
    CheckpointView,
    RuntimeList,
    RuntimeView,
    TaskList,
    TaskRequest,
    TaskView,
)
from models.report import Status
from models.task import Kind

LOCAL = "http://127.0.0.1:8000"
"""URL at which `atelier up` serves unless told otherwise."""

TaskRef = str | TaskView
"""Task by its id, which means its newest submission; or by a view, which means that very one."""

_PAGE = 100
# Visible ASCII is what the value of a header holds on every way.
_KEY = re.compile("[!-~]{1,255}")


class AsyncClient(DeadLetterCalls):
    """Client of one platform, for use in one event loop.

    ``timeout`` is how long one try waits for the next byte, ``patience`` how long all tries of one
    call may take; both in seconds. Errors are those of `atelier.errors`.
    """

    def __init__(
        self,
        url: str = LOCAL,
        api_key: str = "local",
        *,
        timeout: float = 30,
        patience: float = 60,
        channel: Channel | None = None,
    ) -> None:
        self._channel = channel or AsyncChannel()
        self._caller = Caller(
            url, api_key, channel=self._channel, timeout=timeout, patience=patience
        )
        self._artifacts = Artifacts(self._caller)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._channel.close()

    async def submit(
        self,
        *,
        kind: Kind | str,
        content: Any,
        runtime: str | None = None,
        id: str | None = None,  # noqa: A002
        prefix: str | None = None,
        context: Any = None,
        callback: CallbackRequest | str | None = None,
        ttl: float | None = None,
        deadline: datetime | float | str | None = None,
        idempotency_key: str | None = None,
    ) -> TaskView:
        """Send a task; however often that has to be tried, it is sent once.

        It fails, undrawn, where it has not begun within ``ttl`` seconds, and is stopped at its
        ``deadline``: a datetime, seconds since 1970, or RFC 3339.

        With an ``idempotency_key`` of your own this holds for later calls with it, too.
        """
        called = {"url": callback} if isinstance(callback, str) else callback
        fields = {
            "runtime": runtime,
            "id": id,
            "prefix": prefix,
            "context": context,
            "kind": kind,
            "content": content,
            "callback": called,
            "ttl": ttl,
            "deadline": deadline.timestamp() if isinstance(deadline, datetime) else deadline,
        }
        task = _task({name: value for name, value in fields.items() if value is not None})
        return await self.send(task, idempotency_key=idempotency_key)

    async def send(self, task: TaskRequest, *, idempotency_key: str | None = None) -> TaskView:
        """Submit a task that is made already, once, however often that has to be tried."""
        # Made once, before the first try: to the platform all tries are one submission then.
        key = uuid4().hex if idempotency_key is None else idempotency_key
        if not _KEY.fullmatch(key):
            raise Misused("idempotency_key: must be 1 to 255 characters of visible ASCII")
        headers = {"content-type": "application/json", "idempotency-key": key}
        request = self._caller.request("POST", "/v1/tasks", content=_json(task), headers=headers)
        return parsed(TaskView, await self._caller.ask(request))

    async def text_to_image(
        self, prompt: str, /, *, runtime: str | None = None, **fields: Any
    ) -> TaskView:
        """Submit a prompt, with fields of the SD Web UI such as ``steps`` and ``seed``."""
        content = {"prompt": prompt, **fields}
        return await self.submit(kind=Kind.TEXT_TO_IMAGE, content=content, runtime=runtime)

    async def image_to_image(
        self,
        prompt: str,
        image: Picture,
        /,
        *,
        runtime: str | None = None,
        **fields: Any,
    ) -> TaskView:
        """Submit a prompt and a picture: a local file, its bytes, or a link."""
        images = [await self._channel.call(picture, image)]
        content = {"prompt": prompt, "init_images": images, **fields}
        return await self.submit(kind=Kind.IMAGE_TO_IMAGE, content=content, runtime=runtime)

    async def upscale(
        self,
        image: Picture,
        /,
        *,
        factor: float,
        upscaler: str,
        runtime: str | None = None,
    ) -> TaskView:
        """Submit a picture to be enlarged."""
        image = await self._channel.call(picture, image)
        content = {"image": image, "upscaling_resize": factor, "upscaler_1": upscaler}
        return await self.submit(kind=Kind.EXTRA_SINGLE_IMAGE, content=content, runtime=runtime)

    async def get(self, task: TaskRef, *, submission: str | None = None) -> TaskView:
        """Read what is known of a task now."""
        return await self._caller.call(TaskView, "GET", *_path(task, submission))

    async def list(
        self,
        *,
        status: Status | str | Sequence[Status | str] = (),
        runtime: str | Sequence[str] = (),
        key: str | None = None,
        since: datetime | float | None = None,
        until: datetime | float | None = None,
        limit: int | None = None,
    ) -> AsyncGenerator[TaskView, None]:
        """List tasks, the newest first, ``limit`` at most; ``key`` is the name of an API key.

        ``since`` (inclusive) and ``until`` (exclusive) bound their creation; numbers are seconds
        since 1970.
        """
        params: dict[str, Any] = {
            "status": status,
            "runtime": runtime,
            "key": key,
            "since": _seconds(since),
            "until": _seconds(until),
        }
        params["limit"] = min(_PAGE, _PAGE if limit is None else max(1, limit))
        found = 0
        while True:
            page = await self._caller.call(TaskList, "GET", "/v1/tasks", params)
            for task in page.tasks:
                if found == limit:
                    return
                found += 1
                yield task
            if page.next is None or found == limit:
                return
            params["cursor"] = page.next

    async def cancel(self, task: TaskRef, *, submission: str | None = None) -> TaskView:
        """Cancel a task; return how it ended, which may have happened before."""
        return await self._caller.call(TaskView, "DELETE", *_path(task, submission))

    def events(
        self, task: TaskRef, *, submission: str | None = None, timeout: float = 3600
    ) -> AsyncGenerator[Event, None]:
        """Yield what happens to a task until it has ended; the last event is its `TaskView`.

        A connection that breaks is taken up again where it was. Where there are no events (at the
        edge) the task is looked at every 0.5 to 5 seconds.

        Raises:
            TimedOut: the task has not ended after ``timeout`` seconds.
        """
        # Counted from this call, though the generator begins only when it is iterated.
        until = time.monotonic() + timeout
        return TaskEvents(self._caller, *_path(task, submission), until).events()

    async def wait(
        self,
        task: TaskRef,
        timeout: float = 3600,  # noqa: ASYNC109 - the events have it
        *,
        submission: str | None = None,
    ) -> TaskView:
        """Wait until a task has ended, however it does; return its view.

        Raises:
            TimedOut: the task has not ended after ``timeout`` seconds.
        """
        async with aclosing(self.events(task, submission=submission, timeout=timeout)) as events:
            return [event async for event in events if isinstance(event, TaskView)][-1]

    async def download(
        self,
        task: TaskRef,
        n: int = 1,
        *,
        submission: str | None = None,
        most: int | None = None,
    ) -> bytes:
        """Read artifact ``n``, from 1, into memory; 0 is the runtime's whole answer as JSON.

        Raises:
            NotFound: there is no such artifact (any more).
            TooLarge: it has more than ``most`` bytes.
        """
        return await self._artifacts.bytes_of(*_path(task, submission), n, most)

    async def save(
        self,
        task: TaskRef,
        folder: Path | str = ".",
        *,
        submission: str | None = None,
        most: int | None = None,
        progress: SaveProgress | None = None,
    ) -> Sequence[Path]:
        """Save a task's artifacts in this folder, each streamed, and whole or not at all.

        A file is called by the task's id, a hash of its submission and its number, with an
        extension from its bytes; where that name is another file's, a number is added.
        ``progress`` is called with the artifact's number, its bytes so far, and its size if the
        store tells it: when a download begins, and after each megabyte.

        Raises:
            TooLarge: an artifact has more than ``most`` bytes.
        """
        view = await self.get(task, submission=submission)
        path, _ = _path(view, None)
        return await self._artifacts.files_of(
            view, path, Path(folder), most=most, progress=progress
        )

    async def runtimes(self) -> Sequence[RuntimeView]:
        """List the configured runtimes, and how they are doing."""
        return (await self._caller.call(RuntimeList, "GET", "/v1/runtimes")).runtimes

    async def checkpoints(self) -> Sequence[CheckpointView]:
        """List the checkpoints that there are, and which runtimes can load them."""
        return (await self._caller.call(CheckpointList, "GET", "/v1/checkpoints")).checkpoints


def _path(task: TaskRef, submission: str | None) -> tuple[str, Mapping[str, str | None]]:
    """Return the path of a task, and the parameters that name its submission."""
    if isinstance(task, TaskView):
        return _path(task.id, task.submission)
    # A slash belongs to the id. Half of a surrogate pair, which an id in JSON may hold, would be an
    # error of `quote`.
    return f"/v1/tasks/{quote(task, safe='', errors='surrogatepass')}", {"submission": submission}


def _task(fields: Mapping[str, Any]) -> TaskRequest:
    try:
        return TaskRequest.model_validate(fields)
    except ValidationError as exc:
        raise Misused.of(exc) from None


def _json(task: TaskRequest) -> bytes:
    try:
        # Defaults are left to the server, which may be newer. JSON in ASCII escapes halves of
        # surrogate pairs, so `encode` cannot fail; NaN is no JSON, though Python would write it.
        return json.dumps(task.model_dump(exclude_unset=True), allow_nan=False).encode()
    except (TypeError, ValueError) as exc:
        raise Misused(f"content, context: {exc}") from None


def _seconds(moment: datetime | float | None) -> float | None:
    return moment.timestamp() if isinstance(moment, datetime) else moment
