"""Stores that `atelier keys` writes API keys to; the platform reads them through a `KeyStore`."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from atelier import Misused
from models.api_key import ApiKey, KeySecret, as_document, stored_keys
from models.errors import SettingsError
from models.settings import Settings
from models.yaml_text import yaml_document

_HEAD = "# API keys, by the digests of their secrets. `atelier keys` writes this file anew.\n"
_NAME = "keys.yaml"


class Ring(ABC):
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

    def open(self, name: str, secret: str) -> str | None:
        """Add a secret to the gateway if one checks keys; return the gateway's id of it."""
        del name, secret
        return None

    def close(self, ended: Sequence[KeySecret]) -> None:
        """Remove ended secrets from the gateway if one checks keys."""

    def disable(self, name: str) -> bool:
        """Disable a name's gateway keys that the configuration made; whether there were any."""
        del name
        return False

    @property
    @abstractmethod
    def hint(self) -> str:
        """Tell people when the platform knows of a change, or what is left to do for that."""


@dataclass
class FileRing(Ring):
    """Store of keys in a file beside the configuration."""

    config: Path

    def __post_init__(self) -> None:
        try:
            settings = Settings.read(self.config)
        except SettingsError as exc:
            raise Misused(f"{self.config}:\n{exc}") from None
        self.configured = settings.api_keys
        self._is_read = settings.api_keys_file is not None
        self._path = settings.api_keys_file or self.config.absolute().parent / _NAME
        self.where = str(self._path)
        self._was = b""

    def read(self) -> Sequence[ApiKey]:
        self._was = self._stands()
        try:
            return stored_keys(yaml_document(self._was, self.where), self.where)
        except SettingsError as exc:
            raise Misused(str(exc)) from None

    def write(self, keys: Sequence[ApiKey]) -> None:
        """Replace the file atomically by one that only its owner can read."""
        part = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        text = _HEAD + yaml.safe_dump(as_document(keys), sort_keys=False, allow_unicode=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if self._stands() != self._was:
                raise Misused(f"somebody changed {self.where} at the same time; run it again")
            part.replace(self._path)
        finally:
            part.unlink(missing_ok=True)

    @property
    def hint(self) -> str:
        if self._is_read:
            return "a running platform knows it within seconds"
        return f"{self.config} does not read it yet: add `apiKeysFile: {self._path.name}`"

    def _stands(self) -> bytes:
        return self._path.read_bytes() if self._path.exists() else b""
