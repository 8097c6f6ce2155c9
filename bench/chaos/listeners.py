"""Listeners of a run: the notifications on the results topic, and a receiver of callback calls."""

import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from threading import Event, Thread
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from models.loopback import LOOPBACK
from samples.local import LocalPlatform

_POLL_SECONDS = 1


class Inbox:
    """Notifications so far, read by a thread of its own from a queue past the fault proxy."""

    def __init__(self) -> None:
        self.by_submission: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        self.told_at: dict[str, float] = {}
        """Moment at which the first end of a task was read, by its id."""

    def note(self, told: Mapping[str, Any]) -> None:
        self.by_submission[told["submission"]].append(told)
        self.told_at.setdefault(told["id"], time.time())


@contextmanager
def reading(client: LocalPlatform) -> Iterator[Inbox]:
    """Read notifications while the block runs."""
    inbox, ended = Inbox(), Event()

    def read() -> None:
        while not ended.is_set():
            for told in client.notifications(_POLL_SECONDS):
                inbox.note(told)

    reader = Thread(target=read, name="inbox")
    reader.start()
    try:
        yield inbox
    finally:
        ended.set()
        reader.join()


class Receiver:
    """Receiver of callback calls, which believes those alone whose signature is right."""

    def __init__(self, secret: str) -> None:
        self.by_submission: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        self._webhook = Webhook(secret)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            self._webhook.verify(body, dict(request.headers))
        except WebhookVerificationError:
            return web.Response(status=400)
        data = json.loads(body)["data"]
        self.by_submission[data["submission"]].append(data)
        return web.Response(status=204)


@asynccontextmanager
async def receiving(secret: str, port: int) -> AsyncIterator[Receiver]:
    """Receive callback calls at this port of loopback while the block runs."""
    receiver = Receiver(secret)
    app = web.Application()
    app.router.add_post("/", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    try:
        yield receiver
    finally:
        await runner.cleanup()
