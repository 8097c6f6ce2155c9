"""Weights as people name them: single files, and folders of files that are one checkpoint."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models.checkpoints import PIPELINE_FOLDER, spellings, without_hash
from models.errors import NameRefused
from models.weights.kinds import OTHER, kind_of, kind_of_folder
from models.weights.store import WeightFile

_WEIGHTS = re.compile(r"\.(safetensors|sft|ckpt|pth|pt|bin|gguf)$", re.IGNORECASE)
_SAID = 5  # names in a message


@dataclass(frozen=True)
class Entry:
    """Weights under one name: a file, or the files of a folder in the layout of diffusers."""

    name: str
    files: Sequence[WeightFile]

    @property
    def kind(self) -> str:
        return kind_of(self.name)

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def modified(self) -> float:
        return max(file.modified for file in self.files)

    @property
    def is_folder(self) -> bool:
        return self.files[0].name != self.name


def entries(files: Iterable[WeightFile]) -> Sequence[Entry]:
    """Group files to weights, sorted by name; files that hold none are left out."""
    files = list(files)
    pipelines = {
        file.name.removesuffix(f"/{PIPELINE_FOLDER}")
        for file in files
        if file.name.endswith(f"/{PIPELINE_FOLDER}")
    }
    found: dict[str, list[WeightFile]] = {}
    for file in files:
        # The outermost: what lies in a pipeline's folder is a part of it.
        owner = next((above for above in _folders(file.name) if above in pipelines), None)
        if owner or is_weights(file.name):
            found.setdefault(owner or file.name, []).append(file)
    return [Entry(name, found[name]) for name in sorted(found)]


def is_weights(name: str) -> bool:
    """Tell whether a file is called as weights are."""
    return bool(_WEIGHTS.search(name))


def find(known: Iterable[Entry], said: str) -> Entry | None:
    """Find weights by any of the names that people use; None if there are none.

    These are: the name, with another folder of the same kind or without one, with the folders
    below or without, with the extension or without, with the hash that the Web UI puts behind.

    Raises:
        NameRefused: it means several.
    """
    known = list(known)
    wanted = _normal(without_hash(said)).replace("\\", "/").strip("/")
    for matches in (_is_name, _is_path, _is_last_part):
        found = [entry for entry in known if matches(entry, wanted)]
        if len(found) > 1:
            several = ", ".join(entry.name for entry in found[:_SAID])
            more = ", …" if len(found) > _SAID else ""
            raise NameRefused(f"{said!r} may be any of {several}{more}: name one with its folder")
        if found:
            return found[0]
    return None


def _is_name(entry: Entry, wanted: str) -> bool:
    return wanted == _normal(entry.name)


def _is_path(entry: Entry, wanted: str) -> bool:
    """Tell whether this is the path below the kind's folder, whichever folder of it is named."""
    own = _below(_normal(entry.name))
    paths = {own, _stem(own)}
    return _of_its_kind(entry, wanted) in paths or wanted in paths


def _is_last_part(entry: Entry, wanted: str) -> bool:
    names = spellings(_below(_normal(entry.name)))
    names |= {_stem(name) for name in names}
    return _of_its_kind(entry, wanted) in names or wanted in names


def _of_its_kind(entry: Entry, wanted: str) -> str | None:
    """Return what is wanted below its folder; None if that is no folder of the entry's kind."""
    folder, slash, below = wanted.partition("/")
    return below if slash and kind_of_folder(folder) == entry.kind else None


def _below(name: str) -> str:
    return name if kind_of(name) == OTHER else name.partition("/")[2]


def _stem(name: str) -> str:
    return _WEIGHTS.sub("", name)


def _normal(name: str) -> str:
    # A file of macOS may have its accents apart from their letters.
    return unicodedata.normalize("NFC", name)


def _folders(name: str) -> Iterable[str]:
    """Yield the folders around a file, the outermost first."""
    parts = name.split("/")
    return ("/".join(parts[:depth]) for depth in range(1, len(parts)))
