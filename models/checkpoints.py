"""Folder of weights, laid out as the model bucket; knows names and files, never their insides.

A name is found among the files there are, so no name can lead out of the folder.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.errors import TaskFailed

STABLE_DIFFUSION = "Stable-diffusion"
LORA = "Lora"
EMBEDDINGS = "embeddings"
UPSCALERS = ("ESRGAN", "RealESRGAN")
PIPELINE_FOLDER = "model_index.json"
"""File that makes a folder one checkpoint, in the layout of diffusers."""

_SAFE = frozenset({".safetensors"})
_PICKLED = frozenset({".ckpt", ".pth", ".pt", ".bin"})
# "sd.safetensors [6ce0161689]": ten digits, of older servers eight; other brackets are names.
_TITLE_HASH = re.compile(r"(?<!\s)\s+\[[0-9a-fA-F]{6,64}\]$")
# These endings and no others: a name may have dots of its own, as "v1.5" has.
_EXTENSION = re.compile(r"\.(safetensors|ckpt|pth|pt|bin|gguf)$")


@dataclass(frozen=True)
class Shelf:
    """Weights of one sort: one folder, or several that count as one."""

    sort: str
    """Word for a file of the shelf in a message, such as ``checkpoint``."""
    folders: tuple[Path, ...]
    pickles: bool = False
    """Flag: pickled files, which can hold code, may be asked for."""

    @property
    def names(self) -> list[str]:
        """Names that a task can ask for, sorted: paths below the folder, with ``/``."""
        return sorted({name for name, path in self._files() if self._allowed(path)})

    def find(self, name: str) -> Path:
        """Find the file of this name: with or without extension, its folder or a title's hash.

        Raises:
            TaskFailed: there is none, or it is pickled and pickles are refused.
        """
        wanted = without_hash(name)
        found = [path for known, path in self._files() if wanted in spellings(known)]
        allowed = [path for path in found if self._allowed(path)]
        if allowed:
            return allowed[0]
        if found:
            raise TaskFailed(
                f"{self.sort} {name!r} is a pickled file, which can run code of its own when "
                "loaded: convert it to .safetensors, or set the runtime's option allowPickle"
            )
        raise TaskFailed(f"no {self.sort} {name!r}; there is: {listed(self.names)}")

    def _files(self) -> Iterator[tuple[str, Path]]:
        for folder in self.folders:
            for path in _weights(folder):
                yield path.relative_to(folder).as_posix(), path

    def _allowed(self, path: Path) -> bool:
        return self.pickles or path.suffix not in _PICKLED


@dataclass(frozen=True)
class Checkpoints:
    """Shelves of a folder of weights, one for each sort."""

    folder: Path
    pickles: bool = False

    @property
    def stable_diffusion(self) -> Shelf:
        return Shelf("checkpoint", (self.folder / STABLE_DIFFUSION,), self.pickles)

    @property
    def loras(self) -> Shelf:
        return Shelf("LoRA", (self.folder / LORA,), self.pickles)

    @property
    def embeddings(self) -> Shelf:
        return Shelf("embedding", (self.folder / EMBEDDINGS,), pickles=True)

    @property
    def upscalers(self) -> Shelf:
        folders = tuple(self.folder / name for name in UPSCALERS)
        return Shelf("upscaler", folders, self.pickles)


def place_of(folder: Path) -> str:
    """Say for a message where a folder is looked for; a relative one is not quoted."""
    return f": {folder}" if folder.is_absolute() else f", seen from {Path.cwd()}"


def listed(names: list[str]) -> str:
    """List names for a message; says so where there are none."""
    return ", ".join(names) if names else "nothing"


def _weights(folder: Path) -> Iterator[Path]:
    """Walk files of weights and pipeline folders below a folder, in order, hidden ones left out."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            # What lies inside a pipeline's folder is a part of one checkpoint, and none by itself.
            yield from [path] if (path / PIPELINE_FOLDER).is_file() else _weights(path)
        elif path.suffix in _SAFE | _PICKLED:
            yield path


def without_hash(title: str) -> str:
    """Strip the hash that the Web UI appends to a checkpoint's title."""
    return _TITLE_HASH.sub("", title.strip())


def spellings(name: str) -> set[str]:
    """Spell a file's name with and without its folders and its extension."""
    stem = _EXTENSION.sub("", name)
    return {name, stem, name.rpartition("/")[2], stem.rpartition("/")[2]}
