"""Forwarding headers are believed of named proxies only; of all others the peer is the client."""

from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from models.settings.groups import Ingress
from tests.serve_app.native.test_submit import asked
from tests.serve_app.world import KEY, World, settings

BALANCER = "10.0.3.7"
ELSEWHERE = "203.0.113.9"


def world(**ingress: Any) -> World:
    strict = {"wrongKeys": {"burstLimit": 1, "rateLimit": 0.001}}
    return World(configured=settings(ingress=ingress, limits=strict))


def peer(of: World, host: str, key: str = KEY) -> httpx.AsyncClient:
    """Make a client whose connection comes from this host."""
    transport = httpx.ASGITransport(of.app, client=(host, 40_000))
    headers = {"x-api-key": key}
    return httpx.AsyncClient(transport=transport, base_url="http://front", headers=headers)


@pytest.mark.parametrize(
    ("trusted", "host", "scheme"),
    [
        (["10.0.0.0/16"], BALANCER, "https"),
        (["10.0.3.7"], BALANCER, "https"),
        (["2001:db8::/32"], "2001:db8::7", "https"),
        (["10.0.0.0/16"], ELSEWHERE, "http"),
        ([], BALANCER, "http"),
        (None, BALANCER, "http"),
    ],
)
async def test_links_are_https_where_a_named_proxy_says_so(
    trusted: list[str] | None, host: str, scheme: str
) -> None:
    front = world(trustedProxies=trusted)
    async with peer(front, host) as client:
        answer = await client.post(
            "/v1/tasks", json=asked(), headers={"x-forwarded-proto": "https"}
        )
    await front.feed.close()

    assert answer.headers["location"].startswith(f"{scheme}://front/v1/tasks/")


async def refused(front: World, host: str, forwarded: str) -> int:
    async with peer(front, host, "a wrong key") as client:
        answer = await client.get("/v1/runtimes", headers={"x-forwarded-for": forwarded})
    return answer.status_code


async def test_clients_of_a_named_proxy_are_counted_one_by_one() -> None:
    front = world(trustedProxies=["10.0.0.0/16"])
    answers = [
        await refused(front, BALANCER, forwarded)
        for forwarded in ("198.51.100.1", "198.51.100.1", "198.51.100.2")
    ]

    assert answers == [401, 429, 401]


async def test_a_client_cannot_give_itself_another_address() -> None:
    front = world(trustedProxies=["10.0.0.0/16"])
    behind = [await refused(front, BALANCER, f"192.0.2.{n}, 198.51.100.1") for n in range(3)]
    direct = [await refused(front, ELSEWHERE, f"192.0.2.{n}") for n in range(3)]

    assert behind == direct == [401, 429, 429]


async def test_two_proxies_in_line_are_both_passed_over() -> None:
    front = world(trustedProxies=["10.0.0.0/16"])
    answers = [await refused(front, BALANCER, f"198.51.100.{n}, 10.0.9.9") for n in (1, 1, 2)]

    assert answers == [401, 429, 401]


@pytest.mark.parametrize("given", ["*", "10.0.0.1/16", "balancer.example", "10.0.0.0/33", ""])
def test_a_proxy_that_is_no_network_is_refused(given: str) -> None:
    with pytest.raises(ValidationError, match="trustedProxies"):
        Ingress.model_validate({"trustedProxies": [given]})
