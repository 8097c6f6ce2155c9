"""Server of callbacks: a real one on loopback, which verifies the signatures."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from standardwebhooks import Webhook

from tests.serving import served

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ...").decode()
LEAK = "what-the-receiver-said"


@dataclass(frozen=True)
class ReceivedCall:
    """Callback call that came in, its signature verified."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    payload: Any

    @property
    def name(self) -> str:
        return self.headers["webhook-id"]


class CallbackServer:
    """Server that plays its answers, then the last again: a status, or an event to await."""

    def __init__(self, *answers: int | asyncio.Event, secret: str = SECRET) -> None:
        self.answers = list(answers or [200])
        self.secret = secret
        self.calls: list[ReceivedCall] = []
        self.host = ""

    @property
    def url(self) -> str:
        return f"http://{self.host}/hook"

    async def hear(self, request: Request) -> Response:
        body = await request.body()
        payload = Webhook(self.secret).verify(body, dict(request.headers))
        self.calls.append(ReceivedCall(request.url.path, request.headers, body, payload))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            answer = 200
        return Response(LEAK, answer, headers={"location": f"http://{self.host}/moved"})


@asynccontextmanager
async def serving(
    *answers: int | asyncio.Event, secret: str = SECRET
) -> AsyncIterator[CallbackServer]:
    server = CallbackServer(*answers, secret=secret)
    app = FastAPI()
    app.add_api_route("/{path:path}", server.hear, methods=["GET", "POST"])
    async with served(app) as url:
        server.host = url.removeprefix("http://")
        yield server
