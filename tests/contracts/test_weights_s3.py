"""Weights in S3: uploads that broke off, objects of others, writers that meet."""

import asyncio
import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from ingest.aws.client import Clients
from ingest.aws.weights import S3Weights
from models.errors import NameTaken, WeightsChanged
from models.weights.checksums import Checksum
from models.weights.store import Tell, WeightStore
from tests.contracts.test_weights import MIB, local, noise, s3_store

NAME = "Lora/a b.safetensors"
DATA = noise(42 * MIB)  # more parts than go at once


@pytest.fixture(params=["on_embedded", "on_moto"])
def store(request: pytest.FixtureRequest) -> WeightStore:
    found: WeightStore = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def on_embedded(embedded_clients: Clients, tmp_path: Path) -> S3Weights:
    return await s3_store(embedded_clients, tmp_path)


@pytest.fixture
async def on_moto(moto_clients: Clients, tmp_path: Path) -> S3Weights:
    return await s3_store(moto_clients, tmp_path)


class _Ended(Exception):
    pass


def after(most: int) -> Tell:
    """Make a listener that ends the upload once so many bytes are there."""
    left = [most]

    def tell(count: int) -> None:
        left[0] -= count
        if count and left[0] <= 0:
            raise _Ended

    return tell


async def broken_off(store: S3Weights, source: Path) -> None:
    with pytest.raises(_Ended):
        await store.write(NAME, source, tell=after(5 * MIB))


async def uploads(store: S3Weights) -> list[Any]:
    answer = await (await store.clients.s3()).list_multipart_uploads(Bucket=store.bucket)
    return list(answer.get("Uploads", []))


async def test_an_upload_that_broke_off_is_taken_up(store: S3Weights, tmp_path: Path) -> None:
    source = local(tmp_path, DATA)
    await broken_off(store, source)
    told: list[int] = []
    written = await store.write(NAME, source, tell=told.append)

    assert 0 < written.sent < len(DATA)
    assert sum(told) == len(DATA)
    assert written.file.checksum == Checksum("sha256", hashlib.sha256(DATA).hexdigest())
    assert await store.read(written.file, 0, len(DATA)) == DATA
    assert await uploads(store) == []
    assert list(store.uploads.iterdir()) == []


async def test_an_upload_of_other_bytes_is_ended(store: S3Weights, tmp_path: Path) -> None:
    await broken_off(store, local(tmp_path, DATA))
    other = DATA[::-1]
    written = await store.write(NAME, local(tmp_path, other))

    assert written.sent == len(other)
    assert await store.read(written.file, 0, len(other)) == other
    assert await uploads(store) == []


async def test_an_upload_that_is_gone_begins_anew(store: S3Weights, tmp_path: Path) -> None:
    source = local(tmp_path, DATA)
    await broken_off(store, source)
    [upload] = await uploads(store)
    await (await store.clients.s3()).abort_multipart_upload(
        Bucket=store.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
    )

    assert (await store.write(NAME, source)).sent == len(DATA)


async def test_a_note_that_is_damaged_costs_a_new_upload(store: S3Weights, tmp_path: Path) -> None:
    source = local(tmp_path, DATA)
    await broken_off(store, source)
    for note in store.uploads.iterdir():
        local(store.uploads, b"{", note.name)

    assert (await store.write(NAME, source)).sent == len(DATA)


@pytest.mark.parametrize("size", [10, 12 * MIB])
async def test_of_two_writers_one_has_the_name(
    on_embedded: S3Weights, tmp_path: Path, size: int
) -> None:
    """Asked of the embedded AWS alone: moto lets both have it."""
    store = on_embedded
    sources = [local(tmp_path, noise(size + n), f"{n}") for n in range(2)]
    others = S3Weights(
        clients=store.clients,
        bucket=store.bucket,
        prefix=store.prefix,
        uploads=tmp_path / "of others",
        part_size=store.part_size,
    )
    ends = await asyncio.gather(
        *(at.write(NAME, source) for at, source in zip((store, others), sources, strict=True)),
        return_exceptions=True,
    )
    # Where the first had it before the second looked, that is the same answer.
    assert sorted(type(end).__name__ for end in ends) == ["NameTaken", "Written"]
    assert any(isinstance(end, NameTaken) for end in ends)


async def test_a_file_that_changes_while_it_is_sent_is_not_stored(
    store: S3Weights, tmp_path: Path
) -> None:
    size = 60 * MIB
    source = local(tmp_path, noise(size))

    def change(count: int) -> None:
        if count:
            local(tmp_path, b"\0" * size)

    with pytest.raises(WeightsChanged, match="changed while it was sent"):
        await store.write(NAME, source, tell=change)
    assert await store.look_up(NAME) is None


SHA256 = hashlib.sha256(b"x").digest()


@pytest.mark.parametrize(
    ("given", "checksum"),
    [
        ({}, Checksum("md5", hashlib.md5(b"x").hexdigest())),
        ({"Metadata": {"sha256": SHA256.hex().upper()}}, Checksum("sha256", SHA256.hex())),
        (
            {"Metadata": {"sha256": "no digest"}},
            Checksum("md5", hashlib.md5(b"x").hexdigest()),
        ),
        (
            {"ChecksumSHA256": base64.b64encode(SHA256).decode()},
            Checksum("sha256", SHA256.hex()),
        ),
        ({"ChecksumCRC32": "jNwWgw=="}, Checksum("crc32", "8cdc1683")),
    ],
)
async def test_an_object_of_others_has_the_checksum_that_s3_keeps(
    on_embedded: S3Weights, tmp_path: Path, given: dict[str, Any], checksum: Checksum
) -> None:
    store = on_embedded
    key = f"{store.prefix}/{NAME}"
    await (await store.clients.s3()).put_object(Bucket=store.bucket, Key=key, Body=b"x", **given)
    file = await store.look_up(NAME)

    assert file
    assert file.checksum == checksum
    assert (await store.write(NAME, local(tmp_path, b"x"))).sent == 0


async def test_no_checksum_of_parts_is_taken_for_one_of_the_whole(on_embedded: S3Weights) -> None:
    store = on_embedded
    s3: Any = await store.clients.s3()
    place = {"Bucket": store.bucket, "Key": f"{store.prefix}/{NAME}"}
    upload = await s3.create_multipart_upload(**place, ChecksumAlgorithm="SHA256")
    place["UploadId"] = upload["UploadId"]
    digest = base64.b64encode(SHA256).decode()
    part = await s3.upload_part(**place, PartNumber=1, Body=b"x", ChecksumSHA256=digest)
    parts = [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": digest}]
    await s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    file = await store.look_up(NAME)

    assert file
    assert file.checksum is None
