"""File that is fetched in parts, in any order, and goes on where a killed process has left it.

Beside the target lie, hidden, the file of its bytes and a journal: its first line says of what it
is, each further one which part is there. A part is noted after its bytes were written, so what a
kill leaves is sound; after a loss of power it may not be, which the checksum of the whole tells.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from models.errors import NameTaken, WeightsError

PART_SIZE = 8 * 2**20
_WRITTEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
_LONGEST = 100  # bytes of a name that a hidden one is made of


@dataclass
class PartialFile:
    """Parts of a file of so many bytes; `opened` makes it, and holds all others off."""

    target: Path
    size: int
    part_size: int
    identity: str
    """Text that is equal where the bytes are to be: of what is fetched, and in which version."""
    done: set[int] = field(default_factory=set)
    """Numbers of the parts that are there, from 0."""
    _bytes: int = -1
    _journal: int = -1

    @property
    def parts(self) -> range:
        """Numbers of all parts."""
        return range(-(-self.size // self.part_size))

    def span(self, part: int) -> tuple[int, int]:
        """Return where a part begins, and how many bytes it has."""
        start = part * self.part_size
        return start, min(self.part_size, self.size - start)

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Open what is there, and begin anew where it is of something else.

        Raises:
            WeightsError: another process fetches the same file.
        """
        self._journal = os.open(self.journal, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            self._lock()
            try:
                self._resume()
                yield
            finally:
                if self._bytes >= 0:
                    os.close(self._bytes)
        finally:
            os.close(self._journal)  # unlocks it, as the end of a killed process does

    def write(self, part: int, data: bytes) -> None:
        """Write a part, and note that it is there."""
        start, _ = self.span(part)
        while data:
            count = os.pwrite(self._bytes, data, start)
            start, data = start + count, data[count:]
        os.write(self._journal, f"{part}\n".encode())
        self.done.add(part)

    def finish(self, *, replace: bool) -> None:
        """Give the file its name; all parts are there.

        Raises:
            NameTaken: another file has it, and is not to be replaced.
        """
        os.fsync(self._bytes)
        appear(self.path, self.target, replace=replace)
        self.journal.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove what is there."""
        self.path.unlink(missing_ok=True)
        self.journal.unlink(missing_ok=True)

    @property
    def path(self) -> Path:
        return self.target.with_name(f"{self._stem}.part")

    @property
    def journal(self) -> Path:
        return self.target.with_name(f"{self._stem}.parts")

    @property
    def _stem(self) -> str:
        name = self.target.name
        if len(name.encode()) > _LONGEST:  # with an ending it might be too long a name
            name = hashlib.sha256(name.encode()).hexdigest()
        return f".{name}.atelier"

    def _lock(self) -> None:
        try:
            fcntl.flock(self._journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WeightsError(f"another process fetches {self.target} already") from None

    def _resume(self) -> None:
        self._bytes = os.open(self.path, _WRITTEN, 0o644)
        head = f"{self.identity} {self.size} {self.part_size}\n"
        with os.fdopen(os.dup(self._journal), "rb") as file:
            first, *lines = file.read().decode(errors="replace").splitlines(keepends=True) or [""]
        # A kill while it got its name may have left it with both; that one is not written to.
        if first != head or os.fstat(self._bytes).st_nlink != 1:
            self._begin(head)
            return
        if lines and not lines[-1].endswith("\n"):  # a kill has cut it
            os.write(self._journal, b"\n")
            lines.pop()
        self.done = {int(line) for line in lines if line.strip().isdecimal()} & {*self.parts}
        if os.fstat(self._bytes).st_size != self.size:  # somebody has cut it
            self._begin(head)

    def _begin(self, head: str) -> None:
        """Begin with a new file, and an empty journal."""
        self.done = set()
        os.ftruncate(self._journal, 0)
        os.lseek(self._journal, 0, os.SEEK_SET)
        self.path.unlink()
        os.close(self._bytes)
        self._bytes = os.open(self.path, _WRITTEN | os.O_EXCL, 0o644)
        os.ftruncate(self._bytes, self.size)
        os.write(self._journal, head.encode())


def appear(part: Path, target: Path, *, replace: bool) -> None:
    """Give a file its name at once, and over no other file unless it is to be replaced.

    Raises:
        NameTaken: another file has the name.
    """
    if replace:
        part.replace(target)
        return
    try:
        os.link(part, target)
    except FileExistsError:
        raise NameTaken(f"{target} is there already, with other bytes") from None
    except OSError:  # a file system without hard links
        if target.exists():
            raise NameTaken(f"{target} is there already, with other bytes") from None
        part.replace(target)
    part.unlink(missing_ok=True)
