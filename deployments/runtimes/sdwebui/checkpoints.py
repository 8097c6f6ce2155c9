"""The server's checkpoints by any of their names, and which of them is current."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from deployments.runtimes.sdwebui.server import API, Server
from models.errors import TaskFailed

_HASH = re.compile(r"\s+\[[0-9a-fA-F]{6,64}\]$")
_EXTENSION = re.compile(r"\.(safetensors|ckpt|pth?|gguf)$")


@dataclass(frozen=True)
class Checkpoint:
    """One of the server's weights files."""

    file: str
    title: str = field(compare=False)
    """What the server calls it; it grows a hash once the file was loaded."""
    names: frozenset[str] = field(compare=False)
    """What a task may call it, and the server's ``sd_model_name``."""

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Checkpoint":
        title = str(entry["title"])
        file = str(entry.get("filename") or _HASH.sub("", title))
        names = {title, file, str(entry.get("model_name") or title)}
        hashes = {str(entry[key]) for key in ("hash", "sha256") if entry.get(key)}
        return cls(file, title, frozenset(hashes).union(*(_spellings(name) for name in names)))

    def is_called(self, name: str) -> bool:
        return _HASH.sub("", name.strip()) in self.names


@dataclass
class Checkpoints:
    """All that there are."""

    server: Server
    current: Checkpoint | None = None
    """The one that the server was told to use; None where that is not known."""
    _known: list[Checkpoint] = field(default_factory=list)

    async def find(self, name: str) -> Checkpoint:
        """The one of this name: of its file or title, with or without extension, folder or hash.

        Raises:
            TaskFailed: there is none; the message lists those that there are.
        """
        if found := self._found(name):
            return found
        await self.server.post(f"{API}/refresh-checkpoints")
        entries = await self.server.get(f"{API}/sd-models")
        self._known = [Checkpoint.of(entry) for entry in entries]
        if found := self._found(name):
            return found
        there = ", ".join(checkpoint.title for checkpoint in self._known) or "nothing"
        raise TaskFailed(f"sd_model_checkpoint: no checkpoint {name!r}; there is: {there}")

    async def use(self, checkpoint: Checkpoint) -> None:
        """Make it the server's current one, for all that follows.

        Raises:
            TaskFailed: the server did not load it.
        """
        if checkpoint == self.current:
            return
        self.current = None  # until the server has answered
        await self.server.post(f"{API}/options", {"sd_model_checkpoint": checkpoint.title})
        # A1111 answers 200 also where loading failed, and goes on with the one before.
        kept = await self.in_use()
        if kept and not checkpoint.is_called(kept):
            raise TaskFailed(f"the server did not load {checkpoint.title!r}, it kept {kept!r}")
        self.current = checkpoint

    async def in_use(self) -> str | None:
        """The server's own word for its current one, where it has one."""
        options = await self.server.find(f"{API}/options") or {}
        return options.get("sd_model_checkpoint") or None

    def _found(self, name: str) -> Checkpoint | None:
        exact = (one for one in self._known if name == one.title)
        called = (one for one in self._known if one.is_called(name))
        return next(exact, None) or next(called, None)


def _spellings(name: str) -> set[str]:
    """The name with and without its hash, its extension and its folders."""
    bare = _HASH.sub("", name)
    stem = _EXTENSION.sub("", bare)
    return {name, bare, stem, PurePosixPath(bare).name, PurePosixPath(stem).name}
