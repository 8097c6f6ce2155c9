"""API keys in a file of this machine, read again when it changes."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from models.api_key import ApiKey, keys_in
from models.ports import KeyStore


class FileKeys(KeyStore):
    """Store that reads its file again when the file's time, size or inode has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._keys: Sequence[ApiKey] = ()

    async def read(self) -> Sequence[ApiKey]:
        return await asyncio.to_thread(self._read)

    def _read(self) -> Sequence[ApiKey]:
        now = self._looks()
        if now is None:
            self._keys = ()
        elif now != self._seen:
            self._keys = keys_in(self._path)
        self._seen = now
        return self._keys

    def _looks(self) -> tuple[int, ...] | None:
        """Stamp of the file, which changes whenever it is written; None if there is no file."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
