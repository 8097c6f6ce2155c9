"""Files: pictures on their way between local files and tasks.

Names of files are made here, of the task's identity and the bytes: no word of a server becomes a
path.
"""

import hashlib
import os
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self
from uuid import uuid4

import filetype

from atelier.errors import Misused
from models.native import ArtifactView, TaskView

_LINK = re.compile(r"(https?|s3)://|data:", re.IGNORECASE)
# Dots and slashes are unfit, too: so a name neither leaves its folder nor is hidden in it.
_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_ID, _DIGITS, _HIGHEST = 80, 16, 999_999
_HEAD = 8192  # bytes, as many as `filetype` looks at
_CHUNK = 1 << 20  # bytes
_SNIFFED = frozenset(
    re.findall(
        r"\w+",
        "apng avif bmp gif heic ico jpg jxl jxr png psd tif webp avi flv m4v mkv mov mp4 mpg webm"
        " wmv aac flac m4a mid mp3 ogg wav zip",
    )
)
"""Extensions that are taken from the bytes; programs, among others, are saved as ``.bin``."""
_NAMED = frozenset(
    re.findall(
        r"\.\w+",
        ".csv .exr .fbx .glb .gltf .hdr .json .ksplat .latent .npy .npz .obj .ply .safetensors"
        " .splat .spz .srt .stl .svg .txt .usdz .vtt",
    )
)
"""Extensions that are taken from the artifact's URI where the bytes say nothing."""


Picture = str | Path | bytes
"""Picture as a local file, a link, or its bytes."""


def picture(source: Picture) -> str:
    """Write a picture as a task has it: a link as it is, a local file or bytes in base64.

    Raises:
        Misused: the file cannot be read.
    """
    if isinstance(source, bytes):
        return b64encode(source).decode()
    if isinstance(source, str) and _LINK.match(source):
        return source
    try:
        return b64encode(Path(source).read_bytes()).decode()
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or exc
        raise Misused(f"{source}: {why}; a picture is a local file or a link") from None


class Saving:
    """File on its way into a folder, under a hidden name until it is whole.

    The folder is made if it is missing. Where the block ends without `keep`, no file stays.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._part = folder / f".{uuid4().hex}.part"
        self._file = self._part.open("x+b")  # x: over no file, and through no link
        self.size = 0
        """Count of bytes written so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def write(self, part: bytes) -> None:
        """Append bytes."""
        self._file.write(part)
        self.size += len(part)

    def restart(self) -> None:
        """Begin anew: forget what was written."""
        self._file.seek(0)
        self._file.truncate()
        self.size = 0

    def keep(self, stem: str, uri: str) -> Path:
        """Give the file its name, with the extension of its bytes; return its path.

        Another file keeps its name: a number is added to the new one. A file that is there already
        with the same bytes is kept instead, so that saving again makes no copies.
        """
        self._file.seek(0)
        extension = _extension(self._file.read(_HEAD), uri)
        self._file.close()
        for path in _names(self._folder, stem, extension):
            if _placed(self._part, path) or _same(self._part, path):
                return path
        raise AssertionError("there are names without end")


def stem_of(task: TaskView, artifact: ArtifactView) -> str:
    """Name an artifact's file, without the extension, by id, submission and number.

    For an id of letters, digits, ``-`` and ``_`` that is the name of the object in the store.
    """
    # A name that begins with a dash would be an option to the programs that are given it.
    name = _UNFIT.sub("_", task.id)[:_LONGEST_ID].lstrip("-") or "task"
    submission = task.submission.encode(errors="surrogatepass")
    number = min(max(artifact.n, 0), _HIGHEST)
    return f"{name}-{hashlib.sha256(submission).hexdigest()[:_DIGITS]}-{number}"


def free_path(folder: Path, stem: str, suffix: str) -> Path:
    """Make a new, empty file right in this folder, whatever is in ``stem`` and ``suffix``."""
    safe = _UNFIT.sub("_", stem).lstrip("-") or "file"
    extension = suffix if suffix.removeprefix(".").isalnum() and suffix.isascii() else ".bin"
    for path in _names(folder, safe[:_LONGEST_ID], extension[:10]):
        with suppress(FileExistsError):
            path.open("x").close()
            return path
    raise AssertionError("there are names without end")


def _names(folder: Path, stem: str, extension: str) -> Iterator[Path]:
    yield folder / f"{stem}{extension}"
    yield from (folder / f"{stem} ({n}){extension}" for n in count(2))


def _extension(head: bytes, uri: str) -> str:
    guessed = filetype.guess_extension(head)
    if guessed in _SNIFFED:
        return f".{guessed}"
    if guessed is not None:
        return ".bin"
    named = PurePosixPath(uri).suffix.lower()
    return named if named in _NAMED else ".bin"


def _placed(part: Path, path: Path) -> bool:
    """Give a file a name if that is free, and tell so; a link that stands there is not followed."""
    try:
        # A link, unlike a rename, fails where the name is taken; the check and the naming are one.
        os.link(part, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        try:
            # The empty file takes the name first, which is as atomic; the rename only fills it.
            path.open("x").close()
        except FileExistsError:
            return False
        part.replace(path)
    return True


def _same(part: Path, path: Path) -> bool:
    """Tell whether a plain file of these very bytes stands at a path."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != part.stat().st_size:
        return False
    with part.open("rb") as ours, path.open("rb") as theirs:
        return all(mine == theirs.read(_CHUNK) for mine in iter(lambda: ours.read(_CHUNK), b""))
