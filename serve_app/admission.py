"""Admission of requests: by a valid API key that is not over its throttle."""

from dataclasses import dataclass

from fastapi.security import APIKeyHeader
from starlette.requests import Request

from serve_app.auth import Holder, Keys
from serve_app.wrong_key_throttle import WrongKeyThrottle

API_KEY = APIKeyHeader(name="x-api-key", auto_error=False)
"""Description of the key's header for OpenAPI."""


class NotAdmitted(Exception):
    """Request without a valid API key."""


class Throttled(NotAdmitted):
    """Request with a valid API key that was used too often."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        """Seconds until the key may be used again."""


class WrongKeyThrottled(Throttled):
    """Request without a valid API key, after too many of them from the same address."""


@dataclass(frozen=True, kw_only=True)
class Admission:
    """Admits requests that have a valid API key, each key as often as its throttle allows."""

    keys: Keys
    wrong_keys: WrongKeyThrottle

    async def holder(self, request: Request) -> Holder:
        """Find the holder of the API key of a request.

        Raises:
            NotAdmitted: the key is nobody's; `Throttled`, one of these: used too often.
            Unavailable: the key is unknown, and a store of further keys does not answer.
        """
        # Starlette decodes header fields as Latin-1, so this gives the bytes back that were sent.
        holder = await self.keys.holder(request.headers.get("x-api-key", "").encode("latin-1"))
        if holder is None:
            raise self._refusal(request)
        if not holder.bucket.take():
            raise Throttled(holder.bucket.seconds_to_next())
        return holder

    def _refusal(self, request: Request) -> NotAdmitted:
        """Make the refusal of a request without a valid key, and count it for its address.

        Requests with a valid key are admitted from any address.
        """
        host = request.client.host if request.client else ""
        seconds = self.wrong_keys.seconds_to_wait(host)
        return WrongKeyThrottled(seconds) if seconds else NotAdmitted()
