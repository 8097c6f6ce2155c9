"""A runtime's checkpoint among those that there are."""

from collections.abc import Iterator
from dataclasses import replace

from models.checkpoints import Shelf, listed
from models.errors import TaskFailed
from models.parts import Runtime
from models.runtimes.content import nearest


def missing(runtime: Runtime, shelf: Shelf) -> Iterator[str]:
    """Say that the checkpoint which a runtime loads first is not there; its name is not quoted."""
    path = f"modelsRuntime[{runtime.name}].modelFilename"
    wanted, names = runtime.model_filename, shelf.names
    if wanted is None:
        if not names:
            yield f"{path}: there is no checkpoint in {shelf.folders[0]}"
    elif _has(shelf, wanted):
        return
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
