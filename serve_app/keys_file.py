"""API keys in a file of this machine, read again when it changes."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from models.ports import KeyStore
from models.regular_files import unreadable
from models.settings.api_keys import ApiKey, keys_in

_LASTS = 60.0


class FileKeys(KeyStore):
    """Store that reads its file again when the file's time, size or inode has changed."""

    lasts = _LASTS

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._keys: Sequence[ApiKey] = ()
        self._reading: asyncio.Task[Sequence[ApiKey]] | None = None

    async def read(self) -> Sequence[ApiKey]:
        """Read the keys; a mount that hangs holds one thread, however often this is called.

        Raises:
            SettingsError: the file cannot be read, or holds something else.
        """
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(asyncio.to_thread(self._read))
            self._reading.add_done_callback(_take_error)
        # A caller's deadline must not cancel what others wait for; the thread it could not end.
        return await asyncio.shield(self._reading)

    @property
    def is_there(self) -> bool:
        """Flag: something is at the file's path, readable or not."""
        try:
            self._path.stat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def _read(self) -> Sequence[ApiKey]:
        # Before the file is read: what changes meanwhile gives another stamp the next time.
        now = self._stamp()
        if now is None:
            self._keys = ()
        elif now != self._seen:
            self._seen = None  # until it is read: what cannot be read is tried again
            self._keys = keys_in(self._path)
        self._seen = now
        return self._keys

    def _stamp(self) -> tuple[int, ...] | None:
        """Return what changes with the file's bytes, owner and mode; None if there is no file.

        Raises:
            SettingsError: the file system does not answer.
        """
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise unreadable(self._path, exc) from None
        # A right that is taken away changes ctime alone.
        return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino, stat.st_dev


def _take_error(read: asyncio.Task[Sequence[ApiKey]]) -> None:
    """Take the error of a read that nobody waited for, which asyncio would complain of."""
    if not read.cancelled():
        read.exception()
