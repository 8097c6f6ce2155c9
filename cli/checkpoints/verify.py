"""Check of one file of weights: its header, its form by its bytes, and its checksum."""

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from models.weights.checksums import Checksum
from models.weights.contents import Contents, Form, examine
from models.weights.download import checksum_of
from models.weights.entries import is_weights
from models.weights.store import Tell, WeightFile, WeightStore

_SAFE = frozenset({".safetensors", ".sft", ".gguf"})
"""Suffixes that promise that nothing in the file is run."""


class State(StrEnum):
    """Outcome of a check."""

    GOOD = "good"
    PICKLE = "pickle"
    """Whole as far as can be told, and able to run code of its own when it is loaded."""
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Outcome of a check, with what was seen."""

    name: str
    contents: Contents
    fault: str | None
    checksum: Checksum | None
    """Checksum that the bytes have, as the store says; None if it was not compared."""

    @property
    def state(self) -> State:
        if self.fault:
            return State.BAD
        return State.PICKLE if self.contents.form is Form.PICKLE else State.GOOD

    @property
    def text(self) -> str:
        if self.fault:
            return f"bad: {self.fault}"
        compared = (
            f"{self.checksum.algorithm} is right" if self.checksum else "no checksum compared"
        )
        warning = ", can run code when it is loaded" if self.state is State.PICKLE else ""
        form = self.contents.form
        word = "no weights" if form is Form.UNKNOWN else form.value
        return f"{word}{warning}, {compared}"

    @property
    def document(self) -> Mapping[str, Any]:
        return {
            "name": self.name,
            "state": self.state.value,
            "form": self.contents.form.value,
            "fault": self.fault,
            "checksum": str(self.checksum) if self.checksum else None,
        }


@dataclass(frozen=True)
class Check:
    """Check of files of one store."""

    store: WeightStore
    headers_only: bool = False
    """Flag: no checksum is compared, which takes reading the whole file."""

    async def __call__(self, listed: WeightFile, bar: Callable[[], Tell]) -> Checked:
        """Check a file; ``bar`` makes the listener to the bytes that are read.

        Raises:
            WeightsChanged: it changed meanwhile, or is gone.
        """
        file = await self.store.look_up(listed.name) or listed
        contents = await examine(self.store, file)
        fault = _fault(file.name, contents)
        found: Checksum | None = None
        if file.checksum and not fault and not self.headers_only:
            found = await checksum_of(self.store, file, file.checksum.algorithm, bar())
            if found and found != file.checksum:
                fault = f"its bytes have {found}, and the store says {file.checksum}"
        return Checked(name=file.name, contents=contents, fault=fault, checksum=found)


def _fault(name: str, contents: Contents) -> str | None:
    suffix = posixpath.splitext(name)[1].lower()
    if contents.form is Form.PICKLE and suffix in _SAFE:
        return f"it is a pickle, which can run code when it is loaded, and is called {suffix}"
    if contents.form is Form.UNKNOWN and is_weights(name):
        return "it is neither safetensors nor GGUF nor a pickle"
    return contents.fault
