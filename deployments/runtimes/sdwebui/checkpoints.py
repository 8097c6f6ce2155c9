"""Checkpoints of the server by any of their names, and which of them is current."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deployments.runtimes.sdwebui.server import API, Server
from models.checkpoints import spellings, without_hash
from models.errors import TaskFailed


@dataclass(frozen=True)
class Checkpoint:
    """Checkpoint of the server."""

    file: str
    title: str = field(compare=False)
    """Server's name of it; it grows a hash once the file was loaded."""
    names: frozenset[str] = field(compare=False)
    """Names by which a task, and the server's ``sd_model_name``, may call it."""

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Checkpoint":
        """Read an entry of the server's list."""
        title = str(entry["title"])
        file = str(entry.get("filename") or without_hash(title))
        names = {title, file, str(entry.get("model_name") or title)}
        hashes = {str(entry[key]) for key in ("hash", "sha256") if entry.get(key)}
        spelled = (spellings(without_hash(name)) for name in names)
        return cls(file, title, frozenset(names | hashes).union(*spelled))

    def is_called(self, name: str) -> bool:
        """Tell whether a name, with or without a hash, means this checkpoint."""
        return without_hash(name) in self.names


@dataclass
class Checkpoints:
    """Checkpoints that the server has."""

    server: Server
    current: Checkpoint | None = None
    """Checkpoint that the server was told to use; None if that is not known."""
    _known: list[Checkpoint] = field(default_factory=list)

    async def find(self, name: str) -> Checkpoint:
        """Find a checkpoint by its file or title, with or without extension, folder or hash.

        Raises:
            TaskFailed: there is none; the message lists those that there are.
            RuntimeUnavailable: the server broke off.
        """
        if found := self._found(name):
            return found
        # The server reads its folder when it starts, and when it is told to.
        await self.server.post(f"{API}/refresh-checkpoints")
        entries = await self.server.get(f"{API}/sd-models")
        self._known = [Checkpoint.of(entry) for entry in entries]
        if found := self._found(name):
            return found
        available = ", ".join(checkpoint.title for checkpoint in self._known) or "nothing"
        raise TaskFailed(f"sd_model_checkpoint: no checkpoint {name!r}; there is: {available}")

    async def use(self, checkpoint: Checkpoint) -> None:
        """Make a checkpoint the server's current one; takes as long as loading it.

        Raises:
            TaskFailed: the server did not load it.
            RuntimeUnavailable: the server broke off.
        """
        if checkpoint == self.current:
            return
        self.current = None  # until the server has answered
        await self.server.post(f"{API}/options", {"sd_model_checkpoint": checkpoint.title})
        # A1111 answers 200 also where loading failed, and goes on with the one before.
        in_use = await self.in_use()
        if in_use and not checkpoint.is_called(in_use):
            raise TaskFailed(f"the server did not load {checkpoint.title!r}, it kept {in_use!r}")
        self.current = checkpoint

    async def in_use(self) -> str | None:
        """Ask the server for its current checkpoint; None if it does not tell."""
        options = await self.server.find(f"{API}/options") or {}
        return options.get("sd_model_checkpoint") or None

    def _found(self, name: str) -> Checkpoint | None:
        exact = (known for known in self._known if name == known.title)
        called = (known for known in self._known if known.is_called(name))
        return next(exact, None) or next(called, None)
