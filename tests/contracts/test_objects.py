"""Objects: the contract of their store in memory, on the embedded AWS and on moto."""

import httpx
import pytest

from tests.contracts.ports import World

KEYS = ["a/b-1.png", "a b+c%20d?e#f&g=h", "дом/🏠.png", "a//b/", "~*'()!.out", "<&>\"'"]


@pytest.mark.parametrize("key", KEYS)
async def test_what_was_put_can_be_got(kept: World, folder: str, key: str) -> None:
    uri = f"{folder}/{key}"
    body = bytes(range(256)) * 10
    await kept.objects.put(uri, body, "image/png")

    assert await kept.objects.get(uri) == body
    assert await kept.objects.list(f"{folder}/") == [uri]


async def test_putting_again_overwrites(kept: World, folder: str) -> None:
    uri = f"{folder}/a"
    await kept.objects.put(uri, b"one", "text/plain")
    await kept.objects.put(uri, b"", "text/plain")

    assert await kept.objects.get(uri) == b""


async def test_what_is_missing_is_none(kept: World, folder: str) -> None:
    assert await kept.objects.get(f"{folder}/nothing") is None
    assert await kept.objects.get("s3://no-such-bucket-here/nothing") is None


async def test_the_limit_is_the_largest_size_that_is_read(kept: World, folder: str) -> None:
    uri = f"{folder}/a"
    await kept.objects.put(uri, b"12345", "text/plain")

    assert await kept.objects.get(uri, limit=5) == b"12345"
    with pytest.raises(ValueError, match="5 bytes, more than 4"):
        await kept.objects.get(uri, limit=4)


async def test_a_list_is_sorted_and_holds_what_starts_alike(kept: World, folder: str) -> None:
    for key in ("b/2", "a/10", "a/2", "a", "ab"):
        await kept.objects.put(f"{folder}/{key}", b"x", "text/plain")

    assert await kept.objects.list(f"{folder}/a/") == [
        f"{folder}/a/10",
        f"{folder}/a/2",
    ]
    assert len(await kept.objects.list(f"{folder}/a")) == 4
    assert await kept.objects.list(f"{folder}/nothing") == []


async def test_a_deleted_object_is_missing(kept: World, folder: str) -> None:
    uri = f"{folder}/a"
    await kept.objects.put(uri, b"x", "text/plain")
    await kept.objects.delete(uri)
    await kept.objects.delete(uri)

    assert await kept.objects.get(uri) is None


@pytest.mark.parametrize("key", KEYS)
async def test_anyone_can_get_it_by_its_link(kept: World, folder: str, key: str) -> None:
    uri = f"{folder}/{key}"
    link = await kept.objects.link(uri, 60)  # before it exists
    await kept.objects.put(uri, b"12345", "image/png")

    if kept.name == "memory":
        assert link == f"{uri}?expires=60"  # there is nobody who would answer
        return
    async with httpx.AsyncClient() as client:
        answer = await client.get(link)
    assert (answer.status_code, answer.content) == (200, b"12345")
    assert answer.headers["content-type"] == "image/png"
