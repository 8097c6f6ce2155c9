"""Requests without a valid key are throttled by address; those with one never are."""

import pytest

from models.settings.limits import WrongKeys
from serve_app.wrong_key_throttle import WrongKeyThrottle, network
from tests.clock import Clock
from tests.serve_app.test_api import task
from tests.serve_app.world import KEY, World, settings

FEW = {"wrongKeys": {"burstLimit": 2, "rateLimit": 0.1}}


@pytest.mark.parametrize("path", ["/v1alpha1", "/v1alpha2", "/v1/tasks"])
async def test_wrong_keys_are_throttled_and_right_ones_come_in(path: str) -> None:
    world = World(configured=settings(limits=FEW))
    async with world.client() as client:
        wrong = [
            await client.post(path, json={}, headers={"x-api-key": f"a guess {n}"})
            for n in range(4)
        ]
        right = await client.post("/v1alpha2", json=task(), headers={"x-api-key": KEY})
        world.clock.now += 10
        later = await client.post(path, json={}, headers={"x-api-key": "a guess"})

    assert [answer.status_code for answer in wrong] == [401, 401, 429, 429]
    assert [answer.headers.get("retry-after") for answer in wrong] == [None, None, "10", "10"]
    assert right.status_code == 200
    assert later.status_code == 401


async def test_the_answer_is_in_the_words_of_the_api_that_was_asked() -> None:
    world = World(configured=settings(limits={"wrongKeys": {"burstLimit": 1}}))
    async with world.client() as client:
        client.headers["x-api-key"] = "none"
        await client.get("/v1/runtimes")
        gateway = await client.post("/v1alpha1", json={})
        native = await client.get("/v1/runtimes")

    assert gateway.json() == {"message": "Too Many Requests"}
    assert native.headers["content-type"] == "application/problem+json"
    assert native.json()["type"] == "urn:atelier:too-many-unauthorized"


async def test_no_key_at_all_counts_as_a_wrong_one() -> None:
    world = World(configured=settings(limits={"wrongKeys": {"burstLimit": 1}}))
    async with world.client() as client:
        del client.headers["x-api-key"]
        answers = [(await client.get("/v1/runtimes")).status_code for _ in range(2)]

    assert answers == [401, 429]


async def test_a_throttled_key_does_not_count_as_a_wrong_one() -> None:
    world = World(configured=settings(1, limits={"wrongKeys": {"burstLimit": 1}}))
    async with world.client() as client:
        own = [(await client.get("/v1/runtimes")).status_code for _ in range(3)]
        wrong = await client.get("/v1/runtimes", headers={"x-api-key": "none"})
    await world.feed.close()

    assert own == [200, 429, 429]
    assert wrong.status_code == 401


def test_no_more_addresses_are_remembered_than_are_allowed() -> None:
    wrong_keys = WrongKeyThrottle(WrongKeys(burstLimit=1, addresses=3), Clock())
    for n in range(100):
        wrong_keys.seconds_to_wait(f"192.0.2.{n}")

    assert len(wrong_keys) == 3
    assert wrong_keys.seconds_to_wait("192.0.2.99") > 0
    assert wrong_keys.seconds_to_wait("192.0.2.0") == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("no address", "x" * 10_000, True),
        ("", "_gateway", True),
    ],
)
def test_a_client_is_known_by_its_network(one: str, other: str, same: bool) -> None:
    assert (network(one) == network(other)) is same
