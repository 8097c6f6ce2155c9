"""Check of a runtime's checkpoint against the files that there are."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from models.checkpoints import Shelf, listed
from models.errors import TaskFailed
from models.runtimes.content import nearest
from models.settings.groups import Runtime

_LENGTH = 8
_LONGEST_HEADER = 100_000_000
"""Bytes of the longest header; the format's own bound."""


def missing(runtime: Runtime, shelf: Shelf) -> Iterator[str]:
    """Say that the checkpoint which a runtime loads first is not there; its name is not quoted."""
    path = f"modelsRuntime[{runtime.name}].modelFilename"
    wanted, names = runtime.model_filename, shelf.names
    if wanted is None:
        if not names:
            yield f"{path}: there is no checkpoint in {shelf.folders[0]}"
    elif _has(shelf, wanted):
        if not is_whole(found := shelf.find(wanted)):
            yield f"{path}: {found} is broken: it has no header of a .safetensors; fetch it again"
    elif _has(replace(shelf, pickles=True), wanted):
        yield (
            f"{path}: it is a pickled file, which can run code of its own when loaded;"
            " convert it to .safetensors, or set options.allowPickle"
        )
    else:
        near = nearest(wanted, names)
        hint = f"did you mean {near!r}? " if near else ""
        yield f"{path}: no such checkpoint; {hint}there is: {listed(names)}"


def _has(shelf: Shelf, name: str) -> bool:
    try:
        shelf.find(name)
    except TaskFailed:
        return False
    return True


def is_whole(path: Path) -> bool:
    """Tell whether a ``.safetensors`` is as long as its header says; others are not judged."""
    if path.suffix != ".safetensors":
        return True
    try:
        with path.open("rb") as file:
            # The format: a length of eight bytes, so many bytes of JSON, then the tensors, whose
            # offsets count from there. Past the bound the eight bytes are of some other file.
            length = int.from_bytes(file.read(_LENGTH), "little")
            header = json.loads(file.read(length)) if length <= _LONGEST_HEADER else {}
        ends = [
            tensor["data_offsets"][1] for key, tensor in header.items() if key != "__metadata__"
        ]
        return path.stat().st_size == _LENGTH + length + max(ends, default=0)
    # What is no such file may look like anything, and so fail at any step above.
    except (OSError, ValueError, RecursionError, AttributeError, LookupError, TypeError):
        return False
