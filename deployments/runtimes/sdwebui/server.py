"""The HTTP of one Web UI server; its errors are ours. Knows paths, never what a request means."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from pydantic import SecretStr
from pydantic_core import from_json, to_json

from deployments.runtimes.sdwebui.faults import refusal
from models.errors import RuntimeUnavailable, SettingsError, TaskFailed

API = "/sdapi/v1"
_JSON = {"Content-Type": "application/json"}
_QUICK = httpx.Timeout(30)
_PATIENT = httpx.Timeout(30, read=None)
"""For what may take as long as a task may: the replica knows the deadline."""
# The servers close a connection that was idle for 5 s; one that is just being closed must not
# meet a request for a picture, which is never sent twice.
_LIMITS = httpx.Limits(keepalive_expiry=2)


class BrokeOff(RuntimeUnavailable):
    """The server went away, or hung up: what it was asked for may still be under way."""


class Server:
    """One server. A request is sent once: what broke off may still be worked on."""

    def __init__(self, url: str, login: httpx.BasicAuth | None = None) -> None:
        self._client = httpx.AsyncClient(
            base_url=url, auth=login, headers=_JSON, timeout=_QUICK, limits=_LIMITS, trust_env=False
        )

    async def get(self, path: str) -> Any:
        """What there is at a path.

        Raises:
            TaskFailed, RuntimeUnavailable: the server refused, or broke off.
        """
        return read(await self._send("GET", path))

    async def post(self, path: str, body: Any = None, *, quick: bool = False) -> Any:
        """The answer to a request, unless it must be quick however long it takes.

        Raises:
            TaskFailed, RuntimeUnavailable: the server refused, or broke off.
        """
        timeout = _QUICK if quick else _PATIENT
        return read(await self._send("POST", path, content=written(body or {}), timeout=timeout))

    async def generate(
        self, path: str, content: bytes | AsyncGenerator[bytes], size: int
    ) -> httpx.Response:
        """The same for what is large, written before: an answer that has begun, so it is drawn.

        It is to be closed, or read to its end by `rest`.
        """
        request = self._client.build_request(
            "POST", path, content=content, headers={"Content-Length": f"{size}"}, timeout=_PATIENT
        )
        with _unbroken():
            answer = await self._client.send(request, stream=True)
            if answer.is_error:
                await answer.aread()
                raise refusal(answer)
        return answer

    async def rest(self, answer: httpx.Response) -> bytes:
        """What an answer says that has begun.

        Raises:
            RuntimeUnavailable: the server broke off.
        """
        with _unbroken():
            return await answer.aread()

    async def find(self, path: str) -> Any | None:
        """What there is at a path; None where this server does not tell it."""
        answer = await self._answer("GET", path)
        return read(answer.content) if answer.is_success else None

    async def has(self, path: str, body: Any) -> bool:
        """Whether a request to a path is answered at all."""
        return (await self._answer("POST", path, content=written(body))).is_success

    async def answers(self) -> bool:
        """Whether its API is there.

        Raises:
            httpx.TransportError: nobody listens.
            SettingsError: it wants other credentials.
        """
        answer = await self._client.get(f"{API}/sd-models")
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise SettingsError("the server wants other credentials: options.auth, user:password")
        return answer.is_success

    async def close(self) -> None:
        await self._client.aclose()

    async def _send(self, method: str, path: str, **request: Any) -> bytes:
        answer = await self._answer(method, path, **request)
        if answer.is_error:
            raise refusal(answer)
        return answer.content

    async def _answer(self, method: str, path: str, **request: Any) -> httpx.Response:
        with _unbroken():
            return await self._client.request(method, path, **request)


@contextmanager
def _unbroken() -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as exc:
        why = f"{type(exc).__name__}: {exc}".removesuffix(": ")
        raise BrokeOff(f"the server broke off ({why})") from exc


def written(body: Any) -> bytes:
    """A request as JSON; pydantic's is many times faster where pictures are in it.

    Raises:
        TaskFailed: it holds what cannot be written.
    """
    try:
        return to_json(body)
    except ValueError as exc:
        raise TaskFailed(f"content: cannot be sent ({exc})") from exc


def read(content: bytes) -> Any:
    """An answer's JSON.

    Raises:
        RuntimeUnavailable: it is none.
    """
    try:
        return from_json(content)
    except ValueError as exc:
        raise RuntimeUnavailable("the server's answer is no JSON") from exc


def login(auth: SecretStr | None) -> httpx.BasicAuth | None:
    """What ``--api-auth`` wants.

    Raises:
        SettingsError: it has no colon.
    """
    if auth is None:
        return None
    user, colon, password = auth.get_secret_value().partition(":")
    if not colon:
        raise SettingsError("options.auth: must be user:password")
    return httpx.BasicAuth(user, password)
