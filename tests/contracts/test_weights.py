"""Weights: the contract of their store in a folder, on the embedded AWS and on moto."""

import hashlib
import random
from pathlib import Path
from uuid import uuid4

import pytest

from ingest.aws.client import Clients
from ingest.aws.weights import S3Weights
from models.errors import NameRefused, NameTaken, Unavailable, WeightsChanged
from models.weights.checksums import Checksum
from models.weights.download import Download
from models.weights.folder import FolderWeights
from models.weights.store import WeightFile, WeightStore

MIB = 2**20
NAMES = [
    "Lora/a b+c%20d?e#f&g=h.safetensors",
    "Stable-diffusion/дом/🏠 ü.safetensors",
    "VAE/~*'()!<&>\".pt",
    "loose.gguf",
]
UNSAFE = [
    "",
    "/etc/passwd",
    "../x",
    "Lora/../../x",
    "Lora//x",
    "Lora/",
    "./x",
    "a\\..\\b",
    "a\n",
    ".x",
]


@pytest.fixture(params=["in_folder", "on_embedded", "on_moto"])
def store(request: pytest.FixtureRequest) -> WeightStore:
    """Store in which nothing is."""
    found: WeightStore = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def in_folder(tmp_path: Path) -> WeightStore:
    return FolderWeights(tmp_path / "home")


@pytest.fixture
async def on_embedded(embedded_clients: Clients, tmp_path: Path) -> WeightStore:
    return await s3_store(embedded_clients, tmp_path)


@pytest.fixture
async def on_moto(moto_clients: Clients, tmp_path: Path) -> WeightStore:
    return await s3_store(moto_clients, tmp_path)


async def s3_store(clients: Clients, tmp_path: Path) -> S3Weights:
    bucket = f"t{uuid4().hex[:12]}"
    await (await clients.s3()).create_bucket(Bucket=bucket)
    return S3Weights(
        clients=clients,
        bucket=bucket,
        prefix="my models/one",
        uploads=tmp_path / "uploads",
        part_size=5 * MIB,
    )


def local(folder: Path, data: bytes, name: str = "local") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


async def found(store: WeightStore, name: str) -> WeightFile:
    file = await store.look_up(name)
    assert file is not None
    return file


@pytest.mark.parametrize("name", NAMES)
async def test_what_was_written_is_listed_looked_up_and_read(
    store: WeightStore, tmp_path: Path, name: str
) -> None:
    data = bytes(range(256)) * 10
    written = await store.write(name, local(tmp_path, data))
    file = await found(store, name)

    assert written.file == file
    assert written.sent == file.size == len(data)
    assert [(each.name, each.size, each.version) for each in await store.list()] == [
        (name, len(data), file.version)
    ]
    assert await store.read(file, 0, len(data)) == data
    assert await store.read(file, 250, 20) == data[250:270]
    assert await store.read(file, len(data) - 5, 100) == data[-5:]
    assert await store.read(file, len(data), 5) == b""


async def test_an_empty_file_is_one(store: WeightStore, tmp_path: Path) -> None:
    await store.write("Lora/empty.safetensors", local(tmp_path, b""))
    file = await found(store, "Lora/empty.safetensors")

    assert (file.size, await store.read(file, 0, 10)) == (0, b"")


async def test_a_large_file_has_the_bytes_and_the_checksum_of_the_whole(
    store: WeightStore, tmp_path: Path
) -> None:
    data = noise(12 * MIB + 17)
    told: list[int] = []
    await store.write("Lora/large.safetensors", local(tmp_path, data), tell=told.append)
    file = await found(store, "Lora/large.safetensors")
    pieces = [await store.read(file, at, 5 * MIB) for at in range(0, file.size, 5 * MIB)]

    assert sum(told) == len(data)
    assert b"".join(pieces) == data
    if isinstance(store, FolderWeights):
        assert file.checksum is None  # a folder keeps none
    else:
        assert file.checksum == Checksum("sha256", hashlib.sha256(data).hexdigest())


async def test_the_same_bytes_are_not_sent_again_and_others_only_by_order(
    store: WeightStore, tmp_path: Path
) -> None:
    name = "Lora/a.safetensors"
    await store.write(name, local(tmp_path, b"one"))
    again = await store.write(name, local(tmp_path, b"one", "copy"))
    with pytest.raises(NameTaken):
        await store.write(name, local(tmp_path, b"two"))
    before = await found(store, name)
    replaced = await store.write(name, local(tmp_path, b"two"), replace=True)

    assert again.sent == 0
    assert await store.read(replaced.file, 0, 3) == b"two"
    assert replaced.file.version != before.version


async def test_a_version_that_is_gone_is_not_read(store: WeightStore, tmp_path: Path) -> None:
    name = "Lora/a.safetensors"
    await store.write(name, local(tmp_path, b"one"))
    first = await found(store, name)
    await store.write(name, local(tmp_path, b"three"), replace=True)
    with pytest.raises(WeightsChanged):
        await store.read(first, 0, 3)
    second = await found(store, name)
    await store.delete(name)
    with pytest.raises(WeightsChanged):
        await store.read(second, 0, 3)


async def test_what_was_deleted_is_gone(store: WeightStore, tmp_path: Path) -> None:
    await store.write("Lora/a.safetensors", local(tmp_path, b"one"))
    await store.delete("Lora/a.safetensors")
    await store.delete("Lora/a.safetensors")

    assert await store.look_up("Lora/a.safetensors") is None
    assert await store.list() == []


async def test_more_than_a_page_is_listed(store: WeightStore, tmp_path: Path) -> None:
    source = local(tmp_path, b"x")
    names = sorted(f"Lora/{number}.safetensors" for number in range(1005))
    if isinstance(store, S3Weights):
        s3 = await store.clients.s3()
        for name in names:
            await s3.put_object(Bucket=store.bucket, Key=f"my models/one/{name}", Body=b"x")
        await s3.put_object(Bucket=store.bucket, Key="my models/other/Lora/x", Body=b"x")
    else:
        for name in names:
            await store.write(name, source)

    assert [file.name for file in await store.list()] == names


@pytest.mark.parametrize("name", UNSAFE)
async def test_no_name_leads_outside(store: WeightStore, tmp_path: Path, name: str) -> None:
    for call in (
        lambda: store.look_up(name),
        lambda: store.delete(name),
        lambda: store.write(name, local(tmp_path, b"x")),
    ):
        with pytest.raises(NameRefused):
            await call()


async def test_a_file_is_downloaded_in_parts(store: WeightStore, tmp_path: Path) -> None:
    data = noise(3 * MIB + 1)
    await store.write("Lora/a b.safetensors", local(tmp_path, data))
    file = await found(store, "Lora/a b.safetensors")
    target = tmp_path / "there" / "a b.safetensors"
    download = Download(store=store, part_size=MIB, parallel=3)
    got = await download(file, target)
    again = await download(file, target)

    assert target.read_bytes() == data
    assert (got.received, again.received) == (len(data), 0)
    assert got.checksum == file.checksum
    assert [*target.parent.iterdir()] == [target]


async def test_a_local_file_that_is_missing_is_no_fault_of_the_store(
    store: WeightStore, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        await store.write("Lora/a.safetensors", tmp_path / "nothing")


async def test_a_bucket_that_is_missing_is_unavailable(
    embedded_clients: Clients, tmp_path: Path
) -> None:
    store = S3Weights(clients=embedded_clients, bucket="no-such-bucket", uploads=tmp_path)
    with pytest.raises(Unavailable, match="NoSuchBucket"):
        await store.list()
