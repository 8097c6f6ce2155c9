"""Weights in a local folder.

Links are followed within the folder; one that leads out of it is as good as not there. The folder
keeps no checksums.
"""

import asyncio
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from models.errors import NameRefused, NameTaken, Unavailable, WeightsChanged, WeightsDamaged
from models.weights.checksums import file_checksum
from models.weights.partial_file import PART_SIZE, PartialFile
from models.weights.store import Tell, WeightFile, WeightStore, Written, is_safe, safe


@dataclass(frozen=True)
class FolderWeights(WeightStore):
    """Weights in a local folder; it is made when the first file is written."""

    root: Path

    @property
    @override
    def where(self) -> str:
        return str(self.root)

    @override
    async def list(self) -> Sequence[WeightFile]:
        return await asyncio.to_thread(self.files)

    def files(self) -> Sequence[WeightFile]:
        """List all files as `list` does, outside of an event loop."""
        with _translated():
            return sorted(self._walk(), key=_name) if self.root.exists() else ()

    @override
    async def look_up(self, name: str) -> WeightFile | None:
        path = self._path(name)
        with _translated():
            return await asyncio.to_thread(_file, name, path)

    @override
    async def read(self, file: WeightFile, start: int, size: int) -> bytes:
        path = self._path(file.name)
        with _translated():
            return await asyncio.to_thread(_read, path, file, start, size)

    @override
    async def write(
        self, name: str, source: Path, *, replace: bool = False, tell: Tell | None = None
    ) -> Written:
        path = self._path(name)
        return await asyncio.to_thread(_write, name, path, source, replace, tell or _silent)

    @override
    async def delete(self, name: str) -> None:
        self._path(name)
        with _translated(), suppress(FileNotFoundError, NotADirectoryError):
            # A link itself goes, and not what it leads to.
            await asyncio.to_thread(os.unlink, self.root / name)

    def _walk(self) -> Iterator[WeightFile]:
        root = self.root.resolve(strict=True)
        seen: set[Path] = set()
        left = [(root, "")]
        while left:
            folder, prefix = left.pop()
            seen.add(folder)
            for entry in os.scandir(folder):
                name = f"{prefix}{entry.name}"
                path = _resolved(folder / entry.name)
                if not is_safe(name) or path is None or not path.is_relative_to(root):
                    continue
                if path.is_dir():
                    if path not in seen:  # a link may lead to a folder around it
                        left.append((path, f"{name}/"))
                elif found := _file(name, path):
                    yield found

    def _path(self, name: str) -> Path:
        """Return the path of a name, links followed.

        Raises:
            NameRefused: it is not below the root.
        """
        root, path = _resolved(self.root), _resolved(self.root / safe(name))
        if root is None or path is None or not path.is_relative_to(root):
            raise NameRefused(f"{name!r} leads out of {self.root}")
        return path


def _file(name: str, path: Path) -> WeightFile | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _described(name, found) if stat.S_ISREG(found.st_mode) else None


def _described(name: str, found: os.stat_result) -> WeightFile:
    version = f"{found.st_mtime_ns}-{found.st_size}"
    return WeightFile(name=name, size=found.st_size, version=version, modified=found.st_mtime)


def _read(path: Path, file: WeightFile, start: int, size: int) -> bytes:
    try:
        # Without waiting: a FIFO may have taken the place of the file. No link: it was resolved.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        raise WeightsChanged(f"{file.name} is gone") from None
    try:
        _same(descriptor, file)
        found = bytearray()
        while len(found) < size:
            piece = os.pread(descriptor, size - len(found), start + len(found))
            if not piece:
                break
            found += piece
        # After it was read: what is changed in place while it is read is another version then.
        _same(descriptor, file)
        return bytes(found)
    finally:
        os.close(descriptor)


def _same(descriptor: int, file: WeightFile) -> None:
    if _described(file.name, os.fstat(descriptor)).version != file.version:
        raise WeightsChanged(f"{file.name} has changed meanwhile")


def _write(name: str, path: Path, source: Path, replace: bool, tell: Tell) -> Written:
    before = source.stat()
    there = _file(name, path)
    if there and there.size == before.st_size and file_checksum(path) == file_checksum(source):
        tell(there.size)
        return Written(file=there, sent=0)
    if there and not replace:
        raise NameTaken(f"{name} is there already, with other bytes")
    path.parent.mkdir(parents=True, exist_ok=True)
    version = _described(name, before).version
    identity = f"{source.absolute()} {version}".replace("\n", " ")
    partial = PartialFile(path, before.st_size, PART_SIZE, identity)
    with partial.opened():
        resumed = {*partial.done}
        tell(sum(partial.span(part)[1] for part in resumed))
        _copy(source, partial, tell)
        # What was there before may have been lost with the machine's power.
        if resumed and file_checksum(source) != file_checksum(partial.path):
            partial.discard()
            raise WeightsDamaged(f"{name}: what was copied before is damaged: try again")
        if _described(name, source.stat()).version != version:
            partial.discard()
            raise WeightsChanged(f"{source} changed while it was copied")
        partial.finish(replace=replace)
    sent = before.st_size - sum(partial.span(part)[1] for part in resumed)
    return Written(file=_described(name, path.stat()), sent=sent)


def _copy(source: Path, partial: PartialFile, tell: Tell) -> None:
    with source.open("rb") as file:
        for part in partial.parts:
            if part in partial.done:
                continue
            start, size = partial.span(part)
            data = os.pread(file.fileno(), size, start)
            if len(data) != size:
                raise WeightsChanged(f"{source} became shorter while it was copied")
            partial.write(part, data)
            tell(size)


def _resolved(path: Path) -> Path | None:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links raises RuntimeError before Python 3.13
        return None


@contextmanager
def _translated() -> Iterator[None]:
    """Translate errors of the file system into the store's."""
    try:
        yield
    except OSError as exc:
        raise Unavailable(f"{exc.filename or 'the folder'}: {exc.strerror}") from exc


def _name(file: WeightFile) -> str:
    return file.name


def _silent(_: int) -> None:
    pass
