"""Checksums of files: SHA-256 where it can be had, else the one that a store keeps by itself."""

import hashlib
import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from typing_extensions import override

SHA256 = "sha256"
_BLOCK = 2**20  # bytes read at a time


@dataclass(frozen=True)
class Checksum:
    """Checksum of all bytes of a file."""

    algorithm: str
    """Name in lower case, such as ``sha256`` or ``crc64nvme``."""
    value: str
    """Hexadecimal digits, in lower case."""

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value}"


class Hash(Protocol):
    """Hash that takes bytes piece by piece, as those of `hashlib`."""

    @abstractmethod
    def update(self, data: bytes, /) -> None: ...

    @abstractmethod
    def hexdigest(self) -> str: ...


class _Crc32(Hash):
    def __init__(self) -> None:
        self._value = 0

    @override
    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    @override
    def hexdigest(self) -> str:
        return f"{self._value:08x}"


def _md5() -> Hash:
    return hashlib.md5(usedforsecurity=False)


def _sha1() -> Hash:
    return hashlib.sha1(usedforsecurity=False)


_MADE: dict[str, Callable[[], Hash]] = {
    SHA256: hashlib.sha256,
    "sha1": _sha1,
    "md5": _md5,
    "crc32": _Crc32,
}


def new_hash(algorithm: str) -> Hash | None:
    """Make a hash of this algorithm; None where Python brings none, as for ``crc64nvme``."""
    made = _MADE.get(algorithm)
    return made() if made else None


def file_checksum(path: Path, algorithm: str = SHA256) -> Checksum | None:
    """Read a local file through; None where Python brings no such hash."""
    found = new_hash(algorithm)
    if found is None:
        return None
    for block in blocks(path):
        found.update(block)
    return Checksum(algorithm, found.hexdigest())


def blocks(path: Path) -> Iterator[bytes]:
    """Read a local file in pieces of one MiB."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
