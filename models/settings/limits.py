"""Limits that keep one client of the HTTP API from stopping the others."""

from typing import Annotated

from pydantic import Field

from models.settings.base import Group
from models.settings.values import Positive

_SHORT_REQUESTS = 1_000


class Streams(Group):
    """Streams of events (``/events``) that are open at once."""

    per_key: Positive = 250
    """Streams with one API key; one more is answered 429."""
    in_all: Positive = 1_500
    """Streams with all keys together; one more is answered 503."""
    max_bytes: Annotated[int, Field(ge=1_024)] = 2**20
    """Bytes after which a stream ends; its client goes on in a new one, where it was. Bounds what
    is kept in memory for a client that does not read."""


class Waits(Group):
    """Submissions with ``?wait=`` that wait at once."""

    per_key: Positive = 100
    """Waits with one API key; one more is answered 429, and nothing is submitted."""
    in_all: Positive = 500
    """Waits with all keys together; one more is answered 503, and nothing is submitted."""


class Bodies(Group):
    """Bodies of requests that are being received at once.

    A new one is always let in. Over a limit the body that has stood still for the longest makes
    way, and its request is answered 429 or 503.
    """

    per_key: Positive = 32
    """Bodies with one API key."""
    in_all: Positive = 64
    """Bodies with all keys together; over it one of the key with the most makes way."""
    seconds: Annotated[float, Field(gt=0, le=3_600)] = 30
    """Seconds from a request's head to the end of its body; then it is answered 408."""


class WrongKeys(Group):
    """Requests without a valid API key, counted by the client's address; an IPv6 one by its /64.

    Who has a valid key is let in from any address.
    """

    rate_limit: Annotated[float, Field(gt=0)] = 1
    """Refusals with 401 a second that fill the bucket of an address."""
    burst_limit: Positive = 30
    """Refusals with 401 that the bucket holds; an empty one answers 429."""
    addresses: Positive = 10_000
    """Addresses that are remembered; the one that was seen last longest ago is forgotten first."""


class Limits(Group):
    """Bounds of what clients of the HTTP API may have at once; each replica counts its own."""

    streams: Streams = Streams()
    waits: Waits = Waits()
    bodies: Bodies = Bodies()
    wrong_keys: WrongKeys = WrongKeys()

    @property
    def requests(self) -> int:
        """Requests under way at once in a replica, whatever they are; one more is answered 503."""
        held = self.streams.in_all + self.waits.in_all + self.bodies.in_all
        return held + _SHORT_REQUESTS
