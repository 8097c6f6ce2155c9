"""Throttle of requests without a valid API key, by the client's address."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

from models.settings.limits import WrongKeys
from serve_app.auth import TokenBucket

_SHARED = 64
"""Bits of an IPv6 address that name a client's network; it may choose the others freely."""


class WrongKeyThrottle:
    """Token buckets of clients' addresses, a bounded number of them."""

    def __init__(self, limits: WrongKeys, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.clock = clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()
        """Buckets by address, the one least recently seen first."""

    def __len__(self) -> int:
        """Number of addresses that are remembered."""
        return len(self._buckets)

    def seconds_to_wait(self, host: str) -> float:
        """Count a request without a valid key from a host; return seconds to wait, 0 for none."""
        bucket = self._bucket(network(host))
        return 0 if bucket.take() else bucket.seconds_to_next()

    def _bucket(self, name: str) -> TokenBucket:
        if name not in self._buckets:
            limits = self.limits
            self._buckets[name] = TokenBucket(limits.rate_limit, limits.burst_limit, self.clock)
        self._buckets.move_to_end(name)
        if len(self._buckets) > self.limits.addresses:
            self._buckets.popitem(last=False)
        return self._buckets[name]


def network(host: str) -> str:
    """Return the network that counts as one client; ``unknown`` for what is no IP address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    # So a socket for both families names IPv4 clients; a single /64 has them all.
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), _SHARED), strict=False))
