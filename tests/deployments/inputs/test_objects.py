"""Links to objects become bytes if their bucket may be read; a store in trouble is no refusal."""

import pytest

from models.errors import Unavailable
from tests.deployments.inputs.fetching import PNG, Shelf, opened, png, refusal


async def test_an_object_is_read_from_a_bucket_that_may_be_read() -> None:
    link = "s3://bucket/picture"
    async with opened(objects=Shelf(picture=PNG)) as inputs:
        assert await inputs.fetch([link]) == {link: PNG}


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("s3://elsewhere/picture", "its bucket 'elsewhere' may not be read"),
        ("s3://", "it names no bucket"),
        ("s3://bucket/missing", "there is no such object"),
        ("s3://bucket/large", "larger than 1000 bytes"),
        ("s3://bucket/text", "it is not a picture"),
    ],
)
async def test_no_other_object_is(link: str, why: str) -> None:
    shelf = Shelf(large=bytes(2000), text=b"a tale")

    assert why in await refusal(link, objects=shelf, maxBytes=1000)


@pytest.mark.parametrize(
    ("link", "key"),
    [
        ("s3://bucket/in/my photo.png", "in/my photo.png"),
        ("s3://bucket/in/my%20photo.png", "in/my photo.png"),
        ("s3://bucket/in/100%25.png", "in/100%25.png"),
        ("S3://bucket/in/My.png", "in/My.png"),
        (" s3://bucket/picture\n", "picture"),
    ],
)
async def test_an_object_is_found_by_its_key_as_it_is_and_as_a_url_writes_it(
    link: str, key: str
) -> None:
    other = png((4, 4))
    async with opened(objects=Shelf(**{key: PNG, "in/100%.png": other})) as inputs:
        assert await inputs.fetch([link]) == {link: PNG}


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("s3://bucket/in/%2e%2e/x", "a '.' or '..' segment"),
        ("s3://bucket/in/%0a", "a control character"),
        ("s3://elsewhere/my%20photo.png", "may not be read"),
    ],
)
async def test_what_a_url_writes_out_is_guarded_as_well(link: str, why: str) -> None:
    assert why in await refusal(link)


async def test_a_store_that_is_down_is_no_refusal() -> None:
    async with opened() as inputs:
        with pytest.raises(Unavailable):
            await inputs.fetch(["s3://bucket/down"])


async def test_a_store_that_does_not_answer_in_time_is_no_refusal() -> None:
    async with opened(timeoutSeconds=0.05) as inputs:
        with pytest.raises(Unavailable, match=r"S3 took over 0\.05 s"):
            await inputs.fetch(["s3://bucket/hangs"])
