"""Addresses that a link may lead to."""

import asyncio
import threading
from collections.abc import Sequence

import httpcore
import pytest
from hypothesis import given, strategies as st

from deployments.inputs.guard import Guard, GuardedNetwork, Resolve, resolve
from models.errors import InputRefused

LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"]
PRIVATE = [
    "10.0.0.5",
    "172.16.3.4",
    "192.168.1.1",
    "100.64.0.1",
    "198.18.0.1",
    "203.0.113.1",
    "fd00::1",
    "::ffff:10.0.0.1",
    "2001:db8::1",
]
SPECIAL = [
    "0.0.0.0",
    "::",
    "192.0.0.8",
    "192.88.99.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "fec0::1",
    "ff02::1",
    "3fff::1",
    "5f00::1",
]
WRAPPED = [
    "::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::8.8.8.8",
    "2002:a00:1::",
    "2001:0:808:808::f5ff:fffe",
    "2606:4700::5efe:10.0.0.1",
    "2606:4700::200:5efe:10.0.0.1",
]
METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::",
    "2001:0:a9fe:a9fe::",
]
PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1", "64:ff9b::8.8.8.8"]


def to(*addresses: str) -> Resolve:
    async def answer(host: str, port: int) -> Sequence[str]:
        del host, port
        return addresses

    return answer


@pytest.mark.parametrize("address", PUBLIC)
async def test_a_public_address_is_let_through(address: str) -> None:
    assert len(await Guard((), to(address)).addresses("host.test", 443)) == 1


@pytest.mark.parametrize("address", LOOPBACK + PRIVATE + SPECIAL + WRAPPED + METADATA)
async def test_no_other_address_is(address: str) -> None:
    with pytest.raises(InputRefused, match=r"its host host\.test resolves to a"):
        await Guard((), to(address)).addresses("host.test", 443)


@pytest.mark.parametrize("address", LOOPBACK + PRIVATE + SPECIAL + WRAPPED)
async def test_a_named_host_is_let_through(address: str) -> None:
    assert len(await Guard(["host.test"], to(address)).addresses("host.test", 443)) == 1


@pytest.mark.parametrize("address", METADATA)
async def test_metadata_is_refused_to_a_named_host_too(address: str) -> None:
    with pytest.raises(InputRefused, match="link-local or metadata"):
        await Guard(["host.test"], to(address)).addresses("host.test", 443)


async def test_one_bad_address_among_good_ones_is_enough() -> None:
    with pytest.raises(InputRefused, match=r"to a private address; allow"):
        await Guard((), to("8.8.8.8", "10.0.0.5")).addresses("host.test", 443)


async def test_a_refusal_says_what_would_allow_it() -> None:
    with pytest.raises(InputRefused, match=r"inputs\.allowHosts"):
        await Guard((), to("127.0.0.1")).addresses("host.test", 443)


@pytest.mark.parametrize(
    ("allowed", "host", "port", "opens"),
    [
        ("host.test", "host.test", 80, True),
        ("Host.Test", "host.test", 8188, True),
        ("host.test:8188", "host.test", 8188, True),
        ("host.test:8188", "host.test", 80, False),
        ("host.test", "other.host.test", 80, False),
        ("[fd00::1]:81", "fd00::1", 81, True),
        ("[fd00::1]:81", "fd00::1", 80, False),
    ],
)
async def test_the_allow_list_is_by_name_or_name_and_port(
    allowed: str, host: str, port: int, *, opens: bool
) -> None:
    guard = Guard([allowed], to("10.0.0.5"))
    if opens:
        assert await guard.addresses(host, port) == ["10.0.0.5"]
    else:
        with pytest.raises(InputRefused):
            await guard.addresses(host, port)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "017700000001", "localhost"])
async def test_however_loopback_is_spelled_it_is_loopback(host: str) -> None:
    with pytest.raises(InputRefused, match="private"):
        await Guard((), resolve).addresses(host, 80)


@pytest.mark.parametrize("host", ["a..b", "x" * 300, "no-such-host.invalid"])
async def test_a_host_that_is_not_found_is_refused(host: str) -> None:
    with pytest.raises(InputRefused, match="was not found"):
        await Guard().addresses(host, 80)


async def test_a_host_without_addresses_is_not_found() -> None:
    with pytest.raises(InputRefused, match="was not found"):
        await Guard((), to()).addresses("host.test", 80)


@given(st.ip_addresses(network="10.0.0.0/8"), st.sampled_from(["::ffff:", "64:ff9b::", "::"]))
async def test_no_wrapping_hides_a_private_address(address: object, prefix: str) -> None:
    with pytest.raises(InputRefused):
        await Guard((), to(f"{prefix}{address}")).addresses("host.test", 80)


async def test_the_network_tries_the_next_address_when_one_does_not_answer() -> None:
    guard = Guard(["host.test"], to("127.0.0.1", "127.0.0.2"))
    with pytest.raises(httpcore.ConnectError):
        await GuardedNetwork(guard).connect_tcp("host.test", 1, timeout=1)


async def test_a_lookup_does_not_wait_behind_other_blocking_work() -> None:
    done = threading.Event()
    blocked = [asyncio.create_task(asyncio.to_thread(done.wait)) for _ in range(64)]
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(5):
            assert await resolve("127.0.0.1", 80) == ["127.0.0.1"]
    finally:
        done.set()
        await asyncio.gather(*blocked)
