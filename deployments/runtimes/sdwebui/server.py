"""HTTP client of one Web UI server, with our errors; knows paths, never what a request means."""

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
_SHORT_TIMEOUT = httpx.Timeout(30)
_LONG_TIMEOUT = httpx.Timeout(30, read=None)
"""Timeout for requests that may take as long as a task may: the replica knows the deadline."""
# The servers close a connection that was idle for 5 s. A request for a picture, which is never sent
# twice, must not meet one that is just being closed.
_LIMITS = httpx.Limits(keepalive_expiry=2)


class BrokeOff(RuntimeUnavailable):
    """The server went away, or hung up: what it was asked for may still be under way."""


class Server:
    """Connection to one server. Each request is sent once: a broken one may still be worked on."""

    def __init__(self, url: str, login: httpx.BasicAuth | None = None) -> None:
        self._client = httpx.AsyncClient(
            base_url=url,
            auth=login,
            headers=_JSON,
            timeout=_SHORT_TIMEOUT,
            limits=_LIMITS,
            trust_env=False,  # no proxy of the environment between us and loopback
        )

    async def get(self, path: str) -> Any:
        """Read the JSON at a path, within 30 s.

        Raises:
            TaskFailed: the server refused.
            RuntimeUnavailable: the server broke off.
        """
        return read_json(await self._send("GET", path))

    async def post(self, path: str, body: Any = None, *, quick: bool = False) -> Any:
        """Post a request and read its JSON answer: within 30 s if ``quick``, else without a bound.

        Raises:
            TaskFailed: the server refused.
            RuntimeUnavailable: the server broke off.
        """
        timeout = _SHORT_TIMEOUT if quick else _LONG_TIMEOUT
        return read_json(
            await self._send("POST", path, content=write_json(body or {}), timeout=timeout)
        )

    async def generate(
        self, path: str, content: bytes | AsyncGenerator[bytes], size: int
    ) -> httpx.Response:
        """Post a large request, JSON already; return once its answer begins, with no time limit.

        The answer is to be closed, or read to its end by `rest`.

        Raises:
            TaskFailed: the server refused.
            RuntimeUnavailable: the server broke off.
        """
        request = self._client.build_request(
            "POST",
            path,
            content=content,
            headers={"Content-Length": f"{size}"},  # a generator would be sent chunked
            timeout=_LONG_TIMEOUT,
        )
        with _translating_errors():
            answer = await self._client.send(request, stream=True)
            if answer.is_error:
                await answer.aread()  # a streamed answer has no body before
                raise refusal(answer)
        return answer

    async def rest(self, answer: httpx.Response) -> bytes:
        """Read the rest of an answer that has begun.

        Raises:
            RuntimeUnavailable: the server broke off.
        """
        with _translating_errors():
            return await answer.aread()

    async def find(self, path: str) -> Any | None:
        """Read the JSON at a path; None if this server does not have the path.

        Raises:
            RuntimeUnavailable: the server broke off.
        """
        answer = await self._answer("GET", path)
        return read_json(answer.content) if answer.is_success else None

    async def has(self, path: str, body: Any) -> bool:
        """Tell whether a request to a path is answered with success.

        Raises:
            RuntimeUnavailable: the server broke off.
        """
        return (await self._answer("POST", path, content=write_json(body))).is_success

    async def answers(self) -> bool:
        """Tell whether the server's API is there.

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
        with _translating_errors():
            return await self._client.request(method, path, **request)


@contextmanager
def _translating_errors() -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as exc:
        why = f"{type(exc).__name__}: {exc}".removesuffix(": ")
        raise BrokeOff(f"the server broke off ({why})") from exc


def write_json(body: Any) -> bytes:
    """Write a request as JSON; pydantic's is many times faster if pictures are in it.

    Raises:
        TaskFailed: it holds what cannot be written.
    """
    try:
        return to_json(body)
    except ValueError as exc:
        raise TaskFailed(f"content: cannot be sent ({exc})") from exc


def read_json(content: bytes) -> Any:
    """Read an answer's JSON.

    Raises:
        RuntimeUnavailable: it is none.
    """
    try:
        return from_json(content)
    except ValueError as exc:
        raise RuntimeUnavailable("the server's answer is no JSON") from exc


def login(auth: SecretStr | None) -> httpx.BasicAuth | None:
    """Make the credentials that ``--api-auth`` wants.

    Raises:
        SettingsError: there is no colon in it.
    """
    if auth is None:
        return None
    user, colon, password = auth.get_secret_value().partition(":")
    if not colon:
        raise SettingsError("options.auth: must be user:password")
    return httpx.BasicAuth(user, password)
