"""Keys let their holders in, each as often as the throttle allows."""

import pytest

from models.settings import Settings
from models.settings.groups import Throttle
from serve_app.auth import Keys, TokenBucket
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(clock: Clock) -> Keys:
    settings = Settings.read(
        args={
            "stackName": "atelier",
            "checkpoints": ".",
            "modelsRuntime": [{"name": "studio", "type": "fake"}],
            "APIGW": {"throttle": {"rateLimit": 2, "burstLimit": 3}},
            "apiKeys": [
                {"name": "ana", "key": "ana's key"},
                {"name": "bo", "key": "bös Schlüssel"},
            ],
        }
    )
    return Keys(settings.api_keys, settings.gateway.throttle, clock=clock)


async def test_a_key_names_its_holder(keys: Keys) -> None:
    named = [await keys.holder(key.encode()) for key in ("ana's key", "bös Schlüssel")]

    assert [holder and holder.name for holder in named] == ["ana", "bo"]


@pytest.mark.parametrize("key", [b"", b"ana's ke", b"ana's key ", b"Ana's key", b"\xff", b"bo"])
async def test_any_other_key_names_nobody(keys: Keys, key: bytes) -> None:
    assert await keys.holder(key) is None


async def test_without_keys_nobody_comes_in() -> None:
    assert await Keys([], Throttle()).holder(b"") is None


async def test_a_holder_does_not_show_the_key(keys: Keys) -> None:
    holder = await keys.holder(b"ana's key")

    assert "ana's key" not in repr(holder)
    assert "ana's key" not in repr(vars(keys))


async def test_every_key_has_a_bucket_of_its_own(keys: Keys) -> None:
    ana = await keys.holder(b"ana's key")
    bo = await keys.holder("bös Schlüssel".encode())
    assert ana
    assert bo

    taken = [ana.bucket.take() for _ in range(4)]

    assert taken == [True, True, True, False]
    assert bo.bucket.take()


def test_a_full_bucket_holds_its_burst(clock: Clock) -> None:
    bucket = TokenBucket(rate=10, burst=5, clock=clock)
    clock.now += 3600

    assert [bucket.take() for _ in range(6)] == [True] * 5 + [False]


def test_an_empty_bucket_fills_at_its_rate(clock: Clock) -> None:
    bucket = TokenBucket(rate=4, burst=1, clock=clock)
    bucket.take()

    clock.now += 0.2
    too_early = bucket.take()
    clock.now += 0.05

    assert not too_early
    assert bucket.take()


def test_no_more_than_rate_and_burst_come_through(clock: Clock) -> None:
    bucket = TokenBucket(rate=30, burst=50, clock=clock)
    came = 0
    for _ in range(1000):  # ten seconds, a hundred a second
        clock.now += 0.01
        came += bucket.take()

    assert 345 <= came <= 350
