"""Pictures on their way between local files and tasks."""

import re
from base64 import b64encode
from pathlib import Path
from uuid import uuid4

from atelier.errors import Misused

_LINK = re.compile(r"(https?|s3)://|data:", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\\/]")
_UNFIT = re.compile(r'[\x00-\x1f\x7f<>:"|?*]')  # in names, on one system or another


Picture = str | Path | bytes
"""A local file, a link, or its bytes."""


def picture(source: Picture) -> str:
    """A picture as a task has it: a link as it is, a local file or its bytes in base64.

    Raises:
        Misused: there is no such file.
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


def place(folder: Path, uri: str) -> Path:
    """Where the artifact of this URI is saved: right in the folder, whatever the URI says.

    Raises:
        Misused: the URI has no name in it.
    """
    name = _UNFIT.sub("_", _SEPARATORS.split(uri)[-1])
    if not name.strip(". "):
        raise Misused(f"{uri} does not name a file")
    return folder / name


def write(path: Path, body: bytes) -> None:
    """The whole file, or none of it; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid4().hex}.part")
    try:
        part.write_bytes(body)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
