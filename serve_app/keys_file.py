"""API keys in a file of this machine, read again when it changes."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from models.api_key import ApiKey, keys_in
from models.ports import KeyStore


class FileKeys(KeyStore):
    """Reads a file when its time, size or place on the disk is another than before."""

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
        """What changes when it is written anew; None where it is not there."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
