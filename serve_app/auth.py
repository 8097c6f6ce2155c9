"""API keys: their holders, where further ones are stored, and how often each may be used."""

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

_READ_SECONDS = 5.0  # between two reads of a store of keys
_READ_DEADLINE = 2.0  # seconds; a call to AWS by itself may take minutes to fail


class TokenBucket:
    """Token bucket: at most ``burst`` tokens, ``rate`` more each second of a monotonic clock."""

    def __init__(self, rate: float, burst: float, clock: Clock = time.monotonic) -> None:
        self.rate = rate
        self.burst = burst
        self.clock = clock
        self._tokens = burst
        self._counted_at = clock()

    def take(self) -> bool:
        """Take a token; tell whether there was one."""
        now = self.clock()
        gained = (now - self._counted_at) * self.rate
        self._tokens = min(self.burst, self._tokens + gained)
        self._counted_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def seconds_to_next(self) -> float:
        """Seconds until there is a token, counted from the last `take`."""
        return max(0, 1 - self._tokens) / self.rate


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Holder of an API key; operations find theirs in `request.state.holder`."""

    name: str
    """Name that owns the tasks sent with the key; may stand in a log."""
    role: Role = Role.ARTIST
    bucket: TokenBucket = field(repr=False)

    @property
    def limited_to(self) -> str | None:
        """Name whose tasks alone the holder may read and cancel; None: everybody's."""
        return None if self.role is Role.OPERATOR else self.name


class _StoreReader:
    """Reader of one store of keys, which remembers the last answer."""

    def __init__(self, store: KeyStore, clock: Clock) -> None:
        self.found: Sequence[ApiKey] | None = None
        """Keys of the last answer; None: no answer yet, or none for longer than they stay valid."""
        self._store = store
        self._clock = clock
        self._answered_at = float("-inf")
        self._warned = ""

    async def read(self) -> None:
        """Read the store; if it does not answer, go on with the last keys while they stay valid."""
        # An answer is as old as its question: a key may be taken back while it is on its way.
        asked_at = self._clock()
        try:
            async with asyncio.timeout(_READ_DEADLINE):
                self.found = await self._store.read()
        except (Unavailable, SettingsError, OSError) as exc:  # TimeoutError is an OSError
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


class StoredKeys:
    """Keys of all stores, read again every five seconds, by one request for all others."""

    def __init__(self, stores: Sequence[KeyStore], clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._readers = [_StoreReader(store, clock) for store in stores]
        self.keys: Sequence[ApiKey] = ()
        """Keys that were read last, those of a store that does not answer now included."""
        self._due = float("-inf")
        self._reading = asyncio.Lock()

    @property
    def complete(self) -> bool:
        """Flag: each store has answered, and not too long ago."""
        return all(reader.found is not None for reader in self._readers)

    async def refresh(self) -> None:
        """Read the stores if that is due; takes up to two seconds for each that does not answer.

        While another request reads them, the keys of the last time are good enough.
        """
        if self._clock() < self._due or (self.complete and self._reading.locked()):
            return
        async with self._reading:
            if self._clock() < self._due:  # another one read while this one waited for the lock
                return
            for reader in self._readers:
                await reader.read()
            # Always a new list, by whose identity `Keys` tells that there was a reading.
            self.keys = [key for reader in self._readers for key in reader.found or ()]
            self._due = self._clock() + _READ_SECONDS


class Keys:
    """API keys of the settings and of stores, known by the digests of their secrets."""

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
        """Keys of the settings alone."""
        self._throttle = throttle
        self._stored = StoredKeys(stores, clock)
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
        await self._stored.refresh()
        if self._stored.keys is not self._listed_of:
            self._listed_of = self._stored.keys
            self._listed = _listed((*self.keys, *self._stored.keys))
        found = _find(sha256(key).hexdigest(), self._listed)
        # A 401 would tell the owner of a good key to give up; a 503 to come again.
        if found is None and not self._stored.complete:
            raise Unavailable("a store of API keys does not answer")
        if found is None or found.secret.expired(self._wall()):
            return None
        return self._holder(found.name, found.role)

    async def still_admits(self, key: bytes, holder: Holder) -> bool:
        """Tell whether a secret still belongs to this holder, with the same role; not throttled."""
        try:
            now = await self.holder(key)
        except Unavailable:  # its client comes again, and is told 503 if that lasts
            return False
        return now is not None and (now.name, now.role) == (holder.name, holder.role)

    def _holder(self, name: str, role: Role) -> Holder:
        """Return the holder of a name: one for all of its keys, which share a throttle."""
        held = self._holders.get(name)
        if held is None or held.role is not role:
            limit = self._throttle
            # The bucket stays: a role that changes to and fro must not fill it.
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
    """List the secrets of all keys; the first key of a name decides the role of all of them."""
    roles = {key.name: key.role for key in reversed(keys)}
    return [
        _Listed(digest=each.digest, secret=each, name=key.name, role=roles[key.name])
        for key in keys
        for each in key.all_secrets
    ]


def _find(digest: str, listed: Iterable[_Listed]) -> _Listed | None:
    """Find the secret of a digest, comparing with all of them, so that the time tells nothing."""
    found = [each for each in listed if hmac.compare_digest(each.digest, digest)]
    return found[0] if found else None
