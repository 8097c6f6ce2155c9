"""Claims: their contract in memory, on the embedded AWS and on moto."""

import asyncio
from uuid import uuid4

import pytest

from models.ports import Claim, Claims
from tests.clock import Clock
from tests.contracts.ports import World, skip_on_moto

DAY = 86_400
MOTO_IS_NOT_ATOMIC = "moto's conditional writes are not atomic between its threads"


@pytest.fixture
def claims(kept: World, clock: Clock) -> Claims:
    return kept.claims_at(clock)


@pytest.fixture
def key() -> str:
    """Key as a client may write it."""
    return f"{uuid4()}/дом 🏠" + "k" * 3_000


async def test_a_key_is_taken_once(claims: Claims, clock: Clock, key: str) -> None:
    then = clock.now
    first = await claims.claim(key, "one")
    clock.now += 5
    second = await claims.claim(key, "two")

    assert first == Claim(value="one", at=then, settled=False, new=True)
    assert second == Claim(value="one", at=then, settled=False, new=False)


async def test_keys_are_told_apart(claims: Claims, key: str) -> None:
    await claims.claim(key, "one")

    assert (await claims.claim(f"{key}.", "two")).new


async def test_of_racing_claims_exactly_one_is_new(kept: World, claims: Claims, key: str) -> None:
    skip_on_moto(kept, MOTO_IS_NOT_ATOMIC)
    got = await asyncio.gather(*(claims.claim(key, str(n)) for n in range(10)))

    assert sum(claim.new for claim in got) == 1
    assert len({claim.value for claim in got}) == 1


async def test_a_settled_claim_says_so(claims: Claims, key: str) -> None:
    await claims.claim(key, "one")
    await claims.settle(key)
    again = await claims.claim(key, "two")

    assert (again.value, again.settled, again.new) == ("one", True, False)


async def test_an_abandoned_claim_says_so_and_stays(claims: Claims, key: str) -> None:
    await claims.claim(key, "one")
    await claims.abandon(key)
    await claims.abandon(key)
    again = await claims.claim(key, "two")

    assert (again.value, again.abandoned, again.settled, again.new) == ("one", True, False, False)
    assert await claims.find(key) == again


async def test_settling_and_abandoning_take_nothing(claims: Claims, key: str) -> None:
    await claims.settle(key)
    await claims.abandon(key)

    assert (await claims.claim(key, "one")).new


async def test_a_claim_is_gone_after_a_day(claims: Claims, clock: Clock, key: str) -> None:
    await claims.claim(key, "one")
    await claims.settle(key)
    clock.now += DAY - 2
    old = await claims.claim(key, "two")
    clock.now += 2
    found = await claims.find(key)
    new = await claims.claim(key, "three")

    assert (old.value, old.new) == ("one", False)
    assert found is None
    assert (new.value, new.at, new.settled, new.new) == ("three", clock.now, False, True)
