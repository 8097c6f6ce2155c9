"""Who may come in, and how often."""

import asyncio
import hmac
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from models.errors import SettingsError, Unavailable
from models.ports import KeyStore
from models.role import Role
from models.settings.api_keys import ApiKey, KeySecret
from models.settings.groups import Throttle

log = logging.getLogger("ray.serve.atelier.api")

Clock = Callable[[], float]

_LOOK_SECONDS = 5.0  # between two looks at a store of keys
_LOOK_DEADLINE = 2.0


class TokenBucket:
    """Holds ``burst`` tokens and gains ``rate`` a second; counts when it is asked, not before."""

    def __init__(self, rate: float, burst: float, clock: Clock = time.monotonic) -> None:
        self.rate = rate
        self.burst = burst
        self.clock = clock
        self._tokens = burst
        self._counted_at = clock()

    def take(self) -> bool:
        """Whether there was a token."""
        now = self.clock()
        gained = (now - self._counted_at) * self.rate
        self._tokens = min(self.burst, self._tokens + gained)
        self._counted_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def seconds_to_next(self) -> float:
        """How long until there is a token, from when it was last asked for one."""
        return max(0, 1 - self._tokens) / self.rate


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The holder of an API key, as every operation knows it: `request.state.holder`."""

    name: str
    """Name that owns the tasks sent with the key; may stand in a log."""
    role: Role = Role.ARTIST
    bucket: TokenBucket = field(repr=False)

    @property
    def limited_to(self) -> str | None:
        """Name whose tasks alone the holder reads and cancels; None: everybody's."""
        return None if self.role is Role.OPERATOR else self.name


class _Look:
    """Looks at one store, and remembers what it said last."""

    def __init__(self, store: KeyStore, clock: Clock) -> None:
        self.found: Sequence[ApiKey] | None = None
        """Keys that it said last; None: it never answered, or not for longer than these last."""
        self._store = store
        self._clock = clock
        self._answered_at = float("-inf")
        self._warned = ""

    async def __call__(self) -> None:
        """Ask the store; one that does not answer keeps its keys for as long as they last."""
        asked_at = self._clock()
        try:
            async with asyncio.timeout(_LOOK_DEADLINE):
                self.found = await self._store.read()
        except (Unavailable, SettingsError, OSError) as exc:
            self._warn("keys_not_read", str(exc) or "it took too long")
            self._forget()
        else:
            self._answered_at, self._warned = asked_at, ""

    def _forget(self) -> None:
        """Drop keys that are too old to be trusted: one of them may have been taken back."""
        if self.found is not None and self._clock() - self._answered_at >= self._store.lasts:
            self.found = None
            log.warning("keys_not_valid_any_more", extra={"seconds": self._store.lasts})

    def _warn(self, event: str, why: str) -> None:
        """Warn once of each reason in a row."""
        if why != self._warned:
            log.warning(event, extra={"why": why})
        self._warned = why


class Looks:
    """The keys of stores, looked at again every few seconds, by one request for all."""

    def __init__(self, stores: Sequence[KeyStore], clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._looks = [_Look(store, clock) for store in stores]
        self.keys: Sequence[ApiKey] = ()
        """Keys that were found last; a store that does not answer keeps its own for a while."""
        self._due = float("-inf")
        self._looking = asyncio.Lock()

    @property
    def complete(self) -> bool:
        """Whether each store has answered, and not too long ago."""
        return all(look.found is not None for look in self._looks)

    async def __call__(self) -> None:
        """Read the stores if it is time to; if another request does, go on with what is known."""
        if self._clock() < self._due or (self.complete and self._looking.locked()):
            return
        async with self._looking:
            if self._clock() < self._due:
                return
            for look in self._looks:
                await look()
            self.keys = [key for look in self._looks for key in look.found or ()]
            self._due = self._clock() + _LOOK_SECONDS


class Keys:
    """The API keys, known by the digests of their secrets."""

    def __init__(
        self,
        keys: Sequence[ApiKey],
        throttle: Throttle,
        stores: Sequence[KeyStore] = (),
        *,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        self.keys = keys
        """Keys of the settings; the stores add further ones."""
        self._throttle = throttle
        self._looks = Looks(stores, clock)
        self._clock = clock
        self._wall = wall
        self._holders: dict[str, Holder] = {}
        self._listed = _listed(keys)
        self._listed_of: Sequence[ApiKey] = ()

    async def holder(self, key: bytes) -> Holder | None:
        """Find the holder of a secret; None if it is nobody's, or has expired.

        Raises:
            Unavailable: no holder is known, and a store of keys does not answer.
        """
        await self._looks()
        if self._looks.keys is not self._listed_of:
            self._listed_of = self._looks.keys
            self._listed = _listed((*self.keys, *self._looks.keys))
        found = _whose(sha256(key).hexdigest(), self._listed)
        if found is None and not self._looks.complete:
            raise Unavailable("a store of API keys does not answer")
        if found is None or found.secret.expired(self._wall()):
            return None
        return self._holder(found.name, found.role)

    async def still(self, key: bytes, holder: Holder) -> bool:
        """Whether a secret still lets this holder in, with the same role; counts as no request."""
        try:
            now = await self.holder(key)
        except Unavailable:
            return False
        return now is not None and (now.name, now.role) == (holder.name, holder.role)

    def _holder(self, name: str, role: Role) -> Holder:
        """Return the holder of a name, whose throttle all keys of the name share."""
        held = self._holders.get(name)
        if held is None or held.role is not role:
            limit = self._throttle
            bucket = (
                held.bucket
                if held
                else TokenBucket(limit.rate_limit, limit.burst_limit, self._clock)
            )
            held = self._holders[name] = Holder(name=name, role=role, bucket=bucket)
        return held


@dataclass(frozen=True, kw_only=True)
class _Listed:
    """Secret of an API key, with the name and role of its holder."""

    digest: str
    secret: KeySecret
    name: str
    role: Role


def _listed(keys: Sequence[ApiKey]) -> Sequence[_Listed]:
    """Secrets of all keys; the first key of a name decides the role of all its secrets."""
    roles = {key.name: key.role for key in reversed(keys)}
    return [
        _Listed(digest=each.digest, secret=each, name=key.name, role=roles[key.name])
        for key in keys
        for each in key.all_secrets
    ]


def _whose(digest: str, listed: Iterable[_Listed]) -> _Listed | None:
    """Find the key of a digest; always compares with all keys, so that time tells nothing."""
    found = [one for one in listed if hmac.compare_digest(one.digest, digest)]
    return found[0] if found else None
