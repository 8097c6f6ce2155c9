"""Admission: every operation on tasks begins with a valid API key that is not over its throttle."""

from dataclasses import dataclass

from fastapi.security import APIKeyHeader
from starlette.requests import Request

from serve_app.auth import Holder, Keys
from serve_app.wrong_key_throttle import WrongKeyThrottle

API_KEY = APIKeyHeader(name="x-api-key", auto_error=False)
"""Description of the key's header for OpenAPI."""


class NotAdmitted(Exception):
    """The request has no valid API key."""


class Throttled(NotAdmitted):
    """The API key is valid, and was used too often."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        """Seconds until the key may be used again."""


class WrongKeyThrottled(Throttled):
    """The request has no valid API key, like too many others from the same address."""


@dataclass(frozen=True, kw_only=True)
class Admission:
    """Lets requests with a valid API key in, each key as often as its throttle allows."""

    keys: Keys
    wrong_keys: WrongKeyThrottle

    async def holder(self, request: Request) -> Holder:
        """Find the holder of the API key of a request.

        Raises:
            NotAdmitted: nobody holds the key, or it was used too often.
            Unavailable: no holder is known, and a store of further keys does not answer.
        """
        holder = await self.keys.holder(request.headers.get("x-api-key", "").encode("latin-1"))
        if holder is None:
            raise self._refusal(request)
        if not holder.bucket.take():
            raise Throttled(holder.bucket.seconds_to_next())
        return holder

    def _refusal(self, request: Request) -> NotAdmitted:
        """Refuse a request without a valid key; requests with one are let in from any address."""
        host = request.client.host if request.client else ""
        seconds = self.wrong_keys.seconds_to_wait(host)
        return WrongKeyThrottled(seconds) if seconds else NotAdmitted()
