"""Stores that `atelier keys` writes API keys to; the platform reads them through a `KeyStore`."""

import fcntl
import os
import stat
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import yaml

from atelier import Misused
from models.errors import SettingsError
from models.regular_files import regular_bytes
from models.settings import Settings
from models.settings.api_keys import ApiKey, KeySecret, as_document, stored_keys
from models.yaml_text import yaml_document

_HEAD = "# API keys, by the digests of their secrets. `atelier keys` writes this file anew.\n"
_NAME = "keys.yaml"
_LOCK_SECONDS = 10.0
_LOCK_PAUSE = 0.05


class Keyring(ABC):
    """Store of keys; keys that were read are written back only if nobody else wrote meanwhile."""

    where: str
    """Name of the store in messages to people."""
    configured: Sequence[ApiKey]
    """Keys of the configuration, which only its file can change."""

    @abstractmethod
    def read(self) -> Sequence[ApiKey]:
        """Read the keys of the store."""

    @abstractmethod
    def write(self, keys: Sequence[ApiKey]) -> None:
        """Replace the keys that were read by these."""

    def locked(self) -> AbstractContextManager[None]:
        """Lock out other writers from read to write, if the store cannot compare on write."""
        return nullcontext()

    def add_gateway_key(self, name: str, secret: str) -> str | None:
        """Add a secret to the gateway if one checks keys; return the gateway's id of it."""
        del name, secret
        return None

    def remove_gateway_keys(self, ended: Sequence[KeySecret]) -> None:
        """Remove ended secrets from the gateway if one checks keys."""

    def disable_gateway_key(self, name: str) -> bool:
        """Disable a name's gateway keys that the configuration made; whether there were any."""
        del name
        return False

    @property
    @abstractmethod
    def hint(self) -> str:
        """Notice about when the platform sees a change, or what is left to do for that."""


@dataclass
class FileKeyring(Keyring):
    """Store of keys in a file beside the configuration."""

    config: Path
    patience: float = _LOCK_SECONDS
    """Seconds to wait for another writer."""

    def __post_init__(self) -> None:
        try:
            settings = Settings.read(self.config)
        except SettingsError as exc:
            raise Misused(f"{self.config}:\n{exc}") from None
        self.configured = settings.api_keys
        self._is_read = settings.api_keys_file is not None
        self._path = settings.api_keys_file or self.config.absolute().parent / _NAME
        self.where = str(self._path)
        self._was: bytes | None = None

    def read(self) -> Sequence[ApiKey]:
        try:
            self._was = regular_bytes(self._path)
            return stored_keys(yaml_document(self._was or b"", self.where), self.where)
        except SettingsError as exc:
            raise Misused(str(exc)) from None

    def write(self, keys: Sequence[ApiKey]) -> None:
        """Replace the file atomically; it keeps its owner, group and mode.

        A new one can be read by its owner alone. A link stays, and leads to the new file.
        """
        path = self._target
        part = path.with_name(f".{path.name}.{os.getpid()}")
        text = _HEAD + yaml.safe_dump(as_document(keys), sort_keys=False, allow_unicode=True)
        # EXCL: nobody's file or link. Its owner's alone, until it takes the mode of the old one.
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                # Before a word is in it: who may not hand it over has written nothing.
                self._take_over(path, file.fileno())
                file.write(text)
                file.flush()
                # Else a crash could leave the new name with an empty file behind it.
                os.fsync(file.fileno())
            # The lock holds off those who take it, and an editor does not.
            if regular_bytes(path) != self._was:
                raise Misused(f"somebody changed {self.where} at the same time; run it again")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        lock = self._lock()
        try:
            self._wait_for(lock)
            yield
        finally:
            # Gives the lock back, as the end of a killed process does.
            os.close(lock)

    @property
    def _target(self) -> Path:
        """Path of the file itself, if a link leads to it."""
        try:
            return self._path.resolve()
        except (OSError, RuntimeError):  # a loop of links raises RuntimeError before Python 3.13
            raise Misused(f"{self.where} leads nowhere: mend the link") from None

    def _lock(self) -> int:
        """Open the writers' lock file; the file of the keys is itself replaced by each write."""
        path = self._target
        path = path.with_name(f".{path.name}.lock")
        try:  # not opened for writing: other users, too, can lock it
            # NONBLOCK: opened for reading, a FIFO of that name would wait for a writer.
            return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NONBLOCK, 0o644)
        except OSError as exc:
            raise Misused(f"{path} cannot be opened for locking: {exc.strerror}") from None

    def _wait_for(self, lock: int) -> None:
        end = time.monotonic() + self.patience
        while True:
            try:
                # Asked again and again: `flock` itself waits without end.
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise Misused(f"somebody else is changing {self.where}; run it again") from None
            time.sleep(_LOCK_PAUSE)

    def _take_over(self, path: Path, new: int) -> None:
        """Give the new file owner, group and mode of the old one, whose readers need them.

        Raises:
            Misused: this user may not; nothing was changed.
        """
        if not path.exists():
            return
        old, mine = path.stat(), os.fstat(new)
        try:
            if (old.st_uid, old.st_gid) != (mine.st_uid, mine.st_gid):
                os.fchown(new, old.st_uid, old.st_gid)
            os.fchmod(new, stat.S_IMODE(old.st_mode) & 0o777)
        except OSError:
            raise Misused(
                f"{self.where} belongs to user {old.st_uid}, group {old.st_gid}, who would lose"
                " it: run this as that user, or as root"
            ) from None

    @property
    def hint(self) -> str:
        if self._is_read:
            return "a running platform knows it within seconds"
        return f"{self.config} does not read it yet: add `apiKeysFile: {self._path.name}`"
