"""Download of a file of weights from any store to a local path: in parallel parts, resumable."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.errors import NameTaken, WeightsChanged, WeightsDamaged
from models.weights.checksums import SHA256, Checksum, file_checksum, new_hash
from models.weights.partial_file import PART_SIZE, PartialFile
from models.weights.store import Tell, WeightFile, WeightStore

PARALLEL = 8
"""Parts that are under way at once; so many times their size is in memory."""


@dataclass(frozen=True, kw_only=True)
class Downloaded:
    """Outcome of a download."""

    path: Path
    received: int
    """Bytes that came over the wire in this call."""
    checksum: Checksum | None
    """Checksum that the bytes were held to; None where the store keeps none that is known here."""


@dataclass(frozen=True, kw_only=True)
class Download:
    """Downloads from one store."""

    store: WeightStore
    replace: bool = False
    """Flag: another file of the name is replaced."""
    part_size: int = PART_SIZE
    parallel: int = PARALLEL

    async def __call__(
        self, file: WeightFile, target: Path, tell: Tell | None = None
    ) -> Downloaded:
        """Download a file as it was looked up; it appears whole and checked, or not at all.

        What is under the name with the same bytes stays; to know that, a file without a checksum
        that can be compared is read through. ``tell`` gets
        the bytes that are there, those that were before included.

        Raises:
            NameTaken: another file has the name, and is not to be replaced.
            WeightsChanged: the store has another version by now.
            WeightsDamaged: the bytes are not those of the checksum; nothing is kept of them.
            WeightsError: another process downloads to the same name.
            OSError: the file cannot be written.
        """
        told = tell or _silent
        identity = f"{self.store.where}/{file.name} {file.version}".replace("\n", " ")
        partial = PartialFile(target, file.size, self.part_size, identity)
        if await asyncio.to_thread(os.path.lexists, target):
            if await self._is_same(target, file):
                partial.discard()  # a kill may have left it
                told(file.size)
                return Downloaded(path=target, received=0, checksum=file.checksum)
            if not self.replace:
                raise NameTaken(f"{target} is there already, with other bytes or unchecked")
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.opened():
            told(sum(partial.span(part)[1] for part in partial.done))
            received = await self._fetch(file, partial, told)
            checksum = await asyncio.to_thread(_checked, partial, file)
            partial.finish(replace=self.replace)
        return Downloaded(path=target, received=received, checksum=checksum)

    async def _is_same(self, target: Path, file: WeightFile) -> bool:
        """Tell whether a local file has the bytes; reads the store's where it keeps no checksum."""
        if not await asyncio.to_thread(_has_size, target, file.size):
            return False
        found = await asyncio.to_thread(_of, file, target)
        if found:
            return found == file.checksum
        theirs = await checksum_of(self.store, file, SHA256)
        return theirs == await asyncio.to_thread(file_checksum, target)

    async def _fetch(self, file: WeightFile, partial: PartialFile, tell: Tell) -> int:
        missing = [part for part in partial.parts if part not in partial.done]
        left = iter(missing)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.parallel, len(missing))):
                    group.create_task(self._fetch_parts(file, partial, left, tell))
        except* WeightsChanged as exc:
            partial.discard()  # its parts are of no use any more
            raise exc.exceptions[0] from None
        except* Exception as exc:  # noqa: BLE001 - the first of several stands for all
            raise exc.exceptions[0] from None
        return sum(partial.span(part)[1] for part in missing)

    async def _fetch_parts(
        self, file: WeightFile, partial: PartialFile, left: Iterator[int], tell: Tell
    ) -> None:
        for part in left:
            start, size = partial.span(part)
            data = await self.store.read(file, start, size)
            if len(data) != size:
                raise WeightsChanged(f"{file.name} is shorter than it was")
            await asyncio.to_thread(partial.write, part, data)
            tell(size)


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _of(file: WeightFile, path: Path) -> Checksum | None:
    return file_checksum(path, file.checksum.algorithm) if file.checksum else None


def _checked(partial: PartialFile, file: WeightFile) -> Checksum | None:
    found = _of(file, partial.path)
    if found and found != file.checksum:
        partial.discard()
        raise WeightsDamaged(f"{file.name}: {found} came, and {file.checksum} was to: try again")
    return found


async def checksum_of(
    store: WeightStore, file: WeightFile, algorithm: str, tell: Tell | None = None
) -> Checksum | None:
    """Read a file of a store through, part by part; None where Python brings no such hash.

    Raises:
        WeightsChanged: the file is another version by now.
    """
    found = new_hash(algorithm)
    if found is None:
        return None
    for start in range(0, file.size, PART_SIZE):
        data = await store.read(file, start, min(PART_SIZE, file.size - start))
        await asyncio.to_thread(found.update, data)
        (tell or _silent)(len(data))
    return Checksum(algorithm, found.hexdigest())


def _silent(_: int) -> None:
    pass
