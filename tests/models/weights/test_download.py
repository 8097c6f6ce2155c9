"""Downloads: whole and right or not at all, and nothing that was there is fetched again."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from typing_extensions import override

from models.errors import NameTaken, Unavailable, WeightsChanged, WeightsDamaged, WeightsError
from models.weights.checksums import Checksum, file_checksum, new_hash
from models.weights.download import Download, checksum_of
from models.weights.folder import FolderWeights
from models.weights.partial_file import PartialFile, appear
from models.weights.store import WeightFile

DATA = bytes(range(256)) * 40
NAME = "Lora/a.safetensors"


@dataclass(frozen=True)
class Counted(FolderWeights):
    """Folder that counts what is read of it, and is away from a place on until it is mended."""

    reads: list[int] = field(default_factory=list)
    away: set[int] = field(default_factory=set)

    @override
    async def read(self, file: WeightFile, start: int, size: int) -> bytes:
        if start in self.away:
            raise Unavailable
        self.reads.append(start)
        return await super().read(file, start, size)


@pytest.fixture
def store(tmp_path: Path) -> Counted:
    (tmp_path / "home/Lora").mkdir(parents=True)
    (tmp_path / "home" / NAME).write_bytes(DATA)
    return Counted(tmp_path / "home")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "there" / "a.safetensors"


async def listed(store: Counted, checksum: Checksum | None = None) -> WeightFile:
    file = await store.look_up(NAME)
    assert file
    return replace(file, checksum=checksum)


def right() -> Checksum:
    return Checksum("sha256", hashlib.sha256(DATA).hexdigest())


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def files(folder: Path) -> Sequence[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_one_that_broke_off_goes_on_where_it_was(store: Counted, target: Path) -> None:
    file = await listed(store, right())
    download = Download(store=store, part_size=1000, parallel=1)
    store.away.add(6000)
    with pytest.raises(Unavailable):
        await download(file, target)
    assert content(target) is None
    first = len(store.reads)
    store.away.clear()
    told: list[int] = []
    got = await download(file, target, told.append)

    assert (first, store.reads[first:]) == (6, [6000, 7000, 8000, 9000, 10000])
    assert (got.received, sum(told)) == (len(DATA) - 6000, len(DATA))
    assert content(target) == DATA
    assert files(target.parent) == ["a.safetensors"]


async def test_a_journal_that_was_cut_loses_a_part_at_most(store: Counted, target: Path) -> None:
    file = await listed(store, right())
    download = Download(store=store, part_size=1000, parallel=1)
    store.away.add(3000)
    with pytest.raises(Unavailable):
        await download(file, target)
    journal = target.parent / ".a.safetensors.atelier.parts"
    journal.write_bytes(journal.read_bytes()[:-1])
    store.away.clear()
    store.reads.clear()
    await download(file, target)

    assert store.reads[:2] == [2000, 3000]
    assert content(target) == DATA


async def test_parts_of_another_version_are_not_mixed(store: Counted, target: Path) -> None:
    download = Download(store=store, part_size=1000, parallel=1)
    store.away.add(3000)
    with pytest.raises(Unavailable):
        await download(await listed(store), target)
    store.away.clear()
    other = DATA[::-1]
    (store.root / NAME).write_bytes(other)
    await download(await listed(store), target)

    assert content(target) == other


async def test_one_that_changes_on_the_way_leaves_nothing(store: Counted, target: Path) -> None:
    file = await listed(store)
    (store.root / NAME).write_bytes(DATA + b"more")

    with pytest.raises(WeightsChanged):
        await Download(store=store)(file, target)
    assert files(target.parent) == []


async def test_wrong_bytes_never_get_the_name(store: Counted, target: Path) -> None:
    wrong = Checksum("crc32", "00000000")

    with pytest.raises(WeightsDamaged, match="crc32:00000000 was to"):
        await Download(store=store)(await listed(store, wrong), target)
    assert files(target.parent) == []


@pytest.mark.parametrize("checksum", [None, right(), Checksum("crc64nvme", "0" * 16)])
async def test_the_same_bytes_stay_and_others_too_unless_they_are_to_be_replaced(
    store: Counted, target: Path, checksum: Checksum | None
) -> None:
    file = await listed(store, checksum)
    put(target, DATA)
    same = await Download(store=store)(file, target)
    assert same.received == 0

    put(target, DATA[::-1])
    with pytest.raises(NameTaken):
        await Download(store=store)(file, target)
    await Download(store=store, replace=True)(file, target)
    assert content(target) == DATA


async def test_a_file_with_both_names_is_not_written_to(store: Counted, target: Path) -> None:
    """A kill between the two steps by which a file gets its name leaves it with both."""
    put(target, b"old and whole")
    (target.parent / ".a.safetensors.atelier.part").hardlink_to(target)
    store.away.add(0)
    with pytest.raises(Unavailable):
        await Download(store=store, replace=True)(await listed(store), target)

    assert content(target) == b"old and whole"


async def test_only_one_process_fetches_a_file(store: Counted, target: Path) -> None:
    target.parent.mkdir()
    partial = PartialFile(target, len(DATA), 1000, "x")
    with partial.opened(), pytest.raises(WeightsError, match="another process"):
        await Download(store=store)(await listed(store), target)


def test_a_file_appears_over_no_other_one(tmp_path: Path) -> None:
    part, target = tmp_path / "part", tmp_path / "target"
    part.write_bytes(b"new")
    target.write_bytes(b"old")
    with pytest.raises(NameTaken):
        appear(part, target, replace=False)
    appear(part, target, replace=True)

    assert target.read_bytes() == b"new"
    assert not part.exists()


async def test_a_long_name_has_parts_too(store: Counted, tmp_path: Path) -> None:
    target = tmp_path / f"{'ü' * 120}.safetensors"
    await Download(store=store)(await listed(store), target)

    assert content(target) == DATA


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        ("sha256", hashlib.sha256(DATA).hexdigest()),
        ("sha1", hashlib.sha1(DATA).hexdigest()),
        ("md5", hashlib.md5(DATA).hexdigest()),
        ("crc32", "bbce3b9d"),
    ],
)
async def test_checksums_are_the_same_of_a_file_and_of_a_store(
    store: Counted, algorithm: str, value: str
) -> None:
    path = store.root / NAME
    there = await checksum_of(store, await listed(store), algorithm)

    assert there == file_checksum(path, algorithm) == Checksum(algorithm, value)


async def test_a_checksum_that_python_lacks_is_none(store: Counted) -> None:
    assert new_hash("crc64nvme") is None
    assert await checksum_of(store, await listed(store), "crc64nvme") is None


async def test_a_copy_into_a_folder_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    source = tmp_path / "source"
    size = 20 * 2**20
    await asyncio.to_thread(source.write_bytes, b"z" * size)
    home = FolderWeights(tmp_path / "home")
    (home.root / "Lora").mkdir(parents=True)
    found = source.stat()
    identity = f"{source} {found.st_mtime_ns}-{size}"
    partial = PartialFile(home.root / NAME, size, 8 * 2**20, identity)
    with partial.opened():
        partial.write(0, b"z" * 8 * 2**20)
    written = await home.write(NAME, source)

    assert written.sent == 12 * 2**20
    assert (home.root / NAME).read_bytes() == source.read_bytes()
