"""Reading of regular files, for which no FIFO or device in their place makes anybody wait."""

import os
import stat
from pathlib import Path

from models.errors import SettingsError


def regular_bytes(path: Path) -> bytes | None:
    """Read a regular file; None if there is none.

    Raises:
        SettingsError: it cannot be read, or is a folder, a FIFO or a device.
    """
    try:
        # Looked at unopened first: opening a device may do something to it, whatever the flags say.
        _regular(path.stat(), path)
        # Another file may take the place after the look; without waiting it is found out.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            _regular(os.fstat(file.fileno()), path)
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise unreadable(path, exc) from None


def unreadable(path: Path, exc: OSError) -> SettingsError:
    """Make the error for a file that the system does not give; quotes nothing of the file."""
    return SettingsError(f"{path}: cannot be read: {exc.strerror or type(exc).__name__}")


def _regular(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise SettingsError(f"{path}: must be a regular file, not a folder, a FIFO or a device")
