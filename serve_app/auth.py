"""Who may come in, and how often."""

import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from models.role import Role
from models.settings import Settings

Clock = Callable[[], float]


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
    """Owner of the tasks that are sent with the key; may stand in a log."""
    role: Role = Role.ARTIST
    digest: bytes = field(repr=False)
    bucket: TokenBucket = field(repr=False)

    @property
    def limited_to(self) -> str | None:
        """Name whose tasks alone the holder reads and cancels; None: everybody's."""
        return None if self.role is Role.OPERATOR else self.name


class Keys:
    """The API keys, known by their digests."""

    def __init__(self, holders: Sequence[Holder]) -> None:
        self.holders = holders

    @classmethod
    def of(cls, settings: Settings, clock: Clock = time.monotonic) -> "Keys":
        throttle = settings.gateway.throttle
        buckets = {  # keys of one name are one holder's
            key.name: TokenBucket(throttle.rate_limit, throttle.burst_limit, clock)
            for key in settings.api_keys
        }
        holders = [
            Holder(
                name=key.name,
                role=key.role,
                digest=_digest(key.key.get_secret_value().encode()),
                bucket=buckets[key.name],
            )
            for key in settings.api_keys
        ]
        return cls(holders)

    def holder(self, key: bytes) -> Holder | None:
        """Compares with all of them, always, so that time does not tell which is near."""
        digest = _digest(key)
        found = [h for h in self.holders if hmac.compare_digest(h.digest, digest)]
        return found[0] if found else None


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()
