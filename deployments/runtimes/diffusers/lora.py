"""LoRAs on a checkpoint: applied for one task, and removed without a trace.

A LoRA's change is added to the outputs of the modules that it changes; no weight is touched.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from deployments.device_fault import fault_behind
from deployments.runtimes.diffusers.faults import described, readable
from deployments.runtimes.diffusers.lora_file import Layer, are_numbers, layers_of
from deployments.runtimes.diffusers.lora_layers import Change, Modules, added, change_of
from deployments.runtimes.diffusers.pipeline import Pipeline
from deployments.runtimes.diffusers.prompt import LoraTag
from deployments.runtimes.diffusers.tensors import read_tensors
from models.checkpoints import Shelf
from models.errors import TaskFailed

_MOST_NAMES = 3
"""Most names of layers that a message lists."""


@contextmanager
def applied(pipeline: Pipeline, tags: Sequence[LoraTag], shelf: Shelf) -> Iterator[None]:
    """Apply LoRAs at their weights inside; outside, the checkpoint is itself exactly.

    Raises:
        TaskFailed: a LoRA is unknown (the message lists them), broken, of an unsupported sort, or
            not made for this checkpoint.
    """
    files = _files(tags, shelf)
    if not files:
        yield
        return
    modules = Modules(pipeline.parts)
    changes: dict[nn.Module, list[tuple[float, Change]]] = defaultdict(list)
    for path, tag in files.items():
        with readable(f"LoRA {tag.name!r}"):
            for module, change in _changes(pipeline, modules, tag, path):
                changes[module].append((tag.weight, change))
    with ExitStack() as stack:
        for module, own in changes.items():
            stack.callback(module.register_forward_hook(_adding(own)).remove)
        yield


def _files(tags: Sequence[LoraTag], shelf: Shelf) -> dict[Path, LoraTag]:
    """Find the files of LoRAs; one that is named in several ways counts with all its weights."""
    files: dict[Path, LoraTag] = {}
    for tag in tags:
        if tag.weight != 0:
            path = shelf.find(tag.name)
            before = files.get(path, LoraTag(tag.name, 0))
            files[path] = LoraTag(before.name, before.weight + tag.weight)
    return {path: tag for path, tag in files.items() if tag.weight != 0}


def _adding(changes: Sequence[tuple[float, Change]]) -> Any:
    """Make a hook that adds changes, each at its weight, to the output of a module."""

    def add(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        for weight, change in changes:
            output = output + weight * added(module, change, given[0])
        return output

    return add


def _changes(
    pipeline: Pipeline, modules: Modules, tag: LoraTag, path: Path
) -> Iterator[tuple[nn.Module, Change]]:
    """Compute the changes of one file, each with the module that it is for.

    Raises:
        TaskFailed: the file is no LoRA, or a layer of it matches no module of the checkpoint or
            has another shape than it.
    """
    try:
        layers = layers_of(read_tensors(path))
    except TaskFailed as exc:
        raise TaskFailed(f"LoRA {tag.name!r} {exc}") from exc
    found = {layer: modules.find(layer.name) for layer in layers}
    strange = [layer.name for layer, module in found.items() if module is None]
    if len(strange) == len(layers):
        raise TaskFailed(
            f"LoRA {tag.name!r} has nothing for the checkpoint {pipeline.name!r}: it is made for "
            f"{_listed(strange) or 'no layer at all'}"
        )
    if strange:
        raise TaskFailed(
            f"LoRA {tag.name!r} does not fit the checkpoint {pipeline.name!r}, which lacks "
            f"{len(strange)} of its {len(layers)} layers: {_listed(strange)}"
        )
    for layer, module in found.items():
        if module is None:  # refused above
            continue
        yield module, _change(pipeline, module, tag, layer)


def _change(pipeline: Pipeline, module: nn.Module, tag: LoraTag, layer: Layer) -> Change:
    unfit = f"LoRA {tag.name!r} does not fit the checkpoint {pipeline.name!r}: {layer.name}"
    try:
        change = change_of(layer, module)
    except Exception as exc:
        if fault_behind(exc):
            raise
        raise TaskFailed(f"{unfit}: {described(exc)}") from exc
    if not all(are_numbers(each) for each in change):
        raise TaskFailed(f"{unfit}: its change is beyond the numbers that a picture is made of")
    return change


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")
