"""Port to a home of weights: a folder or a bucket with files under names.

A name is the path below the root, with ``/``. Names that could lead out of a folder are in no list
and are refused by every verb: with empty parts, ``.`` or ``..``, a backslash or a control
character, or with a part that begins with a dot, which is how hidden and unfinished files are
called. Times are seconds since 1970 by the wall clock. Every verb raises `Unavailable` where the
store refuses or does not answer.
"""

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.errors import NameRefused
from models.weights.checksums import Checksum

Tell = Callable[[int], None]
"""Listener that gets the bytes of each piece when it is done."""
_CONTROL = "Cc"


@dataclass(frozen=True, kw_only=True)
class WeightFile:
    """Version of a file in a store."""

    name: str
    size: int
    version: str
    """Text that changes with the content: the ETag of S3, time of change and size in a folder."""
    modified: float
    checksum: Checksum | None = None
    """Checksum of all bytes, where the store keeps one; `list` may leave it out, `look_up` not."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """Outcome of a `write`."""

    file: WeightFile
    sent: int
    """Bytes that were sent by this call: 0 where all of them were there already."""


class WeightStore(ABC):
    """Store of files of weights."""

    @property
    @abstractmethod
    def where(self) -> str:
        """Root of the store in messages to people: a path, or ``s3://bucket/prefix``."""

    @abstractmethod
    async def list(self) -> Sequence[WeightFile]:
        """List all files, sorted by name."""

    @abstractmethod
    async def look_up(self, name: str) -> WeightFile | None:
        """Look one file up by its name, with its checksum; None if there is none.

        Raises:
            NameRefused: the name leads outside, by itself or by a link.
        """

    @abstractmethod
    async def read(self, file: WeightFile, start: int, size: int) -> bytes:
        """Read so many bytes of this version, fewer at its end; all are in memory at once.

        Raises:
            WeightsChanged: the file is another version by now, or gone.
        """

    @abstractmethod
    async def write(
        self, name: str, source: Path, *, replace: bool = False, tell: Tell | None = None
    ) -> Written:
        """Store a local file; it appears whole or not at all. The same bytes are not sent again.

        A call that was killed is taken up by the next one for the same bytes, as far as the store
        can. ``tell`` gets the bytes that are there, those that were before included.

        Raises:
            NameTaken: other bytes have the name, and ``replace`` is false.
            NameRefused: the name leads outside.
            WeightsChanged: the local file changed meanwhile.
            OSError: the local file cannot be read.
        """

    @abstractmethod
    async def delete(self, name: str) -> None:
        """Delete a file; succeed if there is none.

        Raises:
            NameRefused: the name leads outside.
        """


def is_safe(name: str) -> bool:
    """Tell whether a name stays below its root on any system, and is not that of a hidden file."""
    parts = name.split("/")
    plain = not any(part in {"", ".", ".."} or part.startswith(".") for part in parts)
    return plain and not any(
        char == "\\" or unicodedata.category(char) == _CONTROL for char in name
    )


def safe(name: str) -> str:
    """Return a name that is safe.

    Raises:
        NameRefused: it is not.
    """
    if not is_safe(name):
        raise NameRefused(
            f"{name!r} is no name of weights: it is a path such as Lora/name.safetensors"
        )
    return name
