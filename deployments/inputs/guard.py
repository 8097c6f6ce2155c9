"""Guard against server-side request forgery: the hosts that a task's link may lead to.

A link is a stranger's word, and a replica stands inside the network. So the address is checked
when connecting, and the connection goes to that very address: a name that resolves to another
one a second later (DNS rebinding) changes nothing.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpcore
import httpx

from models.errors import InputRefused

log = logging.getLogger("ray.serve.atelier.guard")

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Resolves a host and a port to its addresses; raises `OSError` if there are none."""

# Metadata services hand credentials to any caller on the machine: no allow-list opens these.
_METADATA = tuple(
    ip_network(net)
    for net in (
        "169.254.0.0/16",  # EC2, ECS, EKS, Google, Azure and others
        "fe80::/10",
        "fd00:ec2::/32",  # EC2 and EKS
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure, though a public address
        "192.0.0.192/32",  # Oracle
    )
)
_UNICAST_V6 = ip_network("2000::/3")  # the only part of IPv6 given out for public addresses
_NAT64 = ip_network("64:ff9b::/96")
_COMPATIBLE = ip_network("::/96")  # an IPv4 address in a deprecated form
# Not public, whatever this version of `ipaddress` says.
_SPECIAL = tuple(
    ip_network(net)
    for net in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20")
)
# RFC 5214: the upper half of an interface's identifier; the lower one is an IPv4 address.
_ISATAP = (0x00005EFE, 0x02005EFE)
_LOW = 0xFFFFFFFF
_LAST_PORT = 0xFFFF
_LOOKUPS = ThreadPoolExecutor(100, "resolve")  # a name whose server hangs must not block others


class HostNotFound(InputRefused):
    """A host has no address; it may have one in a moment."""


def web_url(link: str) -> httpx.URL:
    """Parse a link to a web server.

    Raises:
        InputRefused: it is no URL of one, or it holds a password.
    """
    try:
        url = httpx.URL(link)
    except httpx.InvalidURL as exc:
        raise InputRefused(f"it is not a URL ({exc})") from exc
    except UnicodeError:  # half of a character
        raise InputRefused("it is not a URL (it is not Unicode text)") from None
    if url.scheme not in ("http", "https"):
        raise InputRefused(f"its scheme is {url.scheme!r}, not http or https")
    if url.userinfo:
        raise InputRefused("it holds a user name or password")
    if not url.host:
        raise InputRefused("it has no host")
    if url.port is not None and not 0 < url.port <= _LAST_PORT:
        raise InputRefused(f"it has no port {url.port}")
    return url


def as_httpcore(url: httpx.URL) -> httpcore.URL:
    """Hand the parts of a parsed URL to httpcore, which might read the text in another way."""
    return httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, by the system's resolver; it alone bounds the wait."""
    # Of one type, else each address comes once for TCP, UDP and raw sockets.
    lookup = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_LOOKUPS, lookup)
    return [str(socket_address[0]) for *_, socket_address in found]


class Guard:
    """Judges which addresses may be connected to."""

    def __init__(self, allow_hosts: Iterable[str] = (), resolve: Resolve = resolve) -> None:
        self._allowed = frozenset(host.lower() for host in allow_hosts)
        self._resolve = resolve

    async def addresses(self, host: str, port: int) -> list[str]:
        """Resolve a host to addresses that may be connected to.

        Raises:
            InputRefused: one of them may not; a host with two faces is not trusted with either.
            HostNotFound: it has no address.
        """
        addresses = await self._addresses(host, port)
        allowed = self._is_allowed(host, port)
        for address in addresses:
            if _metadata(address):
                _log_refusal(host, address)
                raise InputRefused(f"its host {host} resolves to a link-local or metadata address")
            if not allowed and not _public(address):
                _log_refusal(host, address)
                raise InputRefused(
                    f"its host {host} resolves to a private address;"
                    " allow it with inputs.allowHosts"
                )
        return [str(address) for address in addresses]

    async def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError) as exc:
            raise HostNotFound(f"its host {host} was not found ({exc})") from exc
        if not found:
            raise HostNotFound(f"its host {host} was not found")
        return [ip_address(address) for address in dict.fromkeys(found)]

    def _is_allowed(self, host: str, port: int) -> bool:
        name = (f"[{host}]" if ":" in host else host).lower()
        return name in self._allowed or f"{name}:{port}" in self._allowed


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects by name, only where the guard lets it; names stay whole for TLS and pooling."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the base class's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        error: Exception = httpcore.ConnectError("no address")
        # To the address that was judged: the name, resolved once more, might lead elsewhere.
        for address in await self._guard.addresses(host, port):
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                error = exc
        raise error

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


def _metadata(address: Address) -> bool:
    return any(face in net for face in _faces(address) for net in _METADATA)


def _log_refusal(host: str, address: Address) -> None:
    """Log a refused address for the operator; the sender learns nothing of the network inside."""
    log.info("address_refused", extra={"host": host, "address": str(address)})


def _public(address: Address) -> bool:
    return not any(_special(face) for face in _faces(address))


def _faces(address: Address) -> Iterator[Address]:
    """Yield the address, and every IPv4 address that a network might unwrap from it."""
    yield address
    if isinstance(address, IPv6Address):
        yield from filter(None, (address.ipv4_mapped, address.sixtofour))
        yield from address.teredo or ()
        number = int(address)
        isatap = number >> 32 & _LOW in _ISATAP
        # Not :: and ::1, which are IPv6's own: unspecified and loopback.
        if address in _NAT64 or isatap or (address in _COMPATIBLE and number > 1):
            yield IPv4Address(number & _LOW)


def _special(address: Address) -> bool:
    named = address.is_loopback or address.is_unspecified or address.is_multicast
    return named or address.is_private or not address.is_global or not _ordinary(address)


def _ordinary(address: Address) -> bool:
    if any(address in net for net in _SPECIAL):
        return False
    if isinstance(address, IPv4Address):
        return not address.is_reserved
    # Mapped and NAT64 addresses are judged by the IPv4 address in them.
    return address in _UNICAST_V6 or address in _NAT64 or address.ipv4_mapped is not None
