"""LoRAs on a checkpoint: put on for one task, and taken off without a trace."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from deployments.runtimes.diffusers.faults import first_line
from deployments.runtimes.diffusers.pipeline import Pipeline
from deployments.runtimes.diffusers.prompt import LoraTag
from models.checkpoints import Shelf
from models.errors import TaskFailed


@contextmanager
def applied(pipeline: Pipeline, tags: Sequence[LoraTag], shelf: Shelf) -> Iterator[None]:
    """Inside, the checkpoint has these LoRAs at their weights; outside, it is itself exactly.

    Raises:
        TaskFailed: a LoRA is unknown (the message lists them), or not made for this checkpoint.
    """
    files = [(tag, shelf.find(tag.name)) for tag in tags if tag.weight != 0]
    try:
        for number, (tag, path) in enumerate(files):
            _put_on(pipeline, tag, path, f"lora{number}")
        if files:
            names = [f"lora{number}" for number in range(len(files))]
            pipeline.parts.set_adapters(names, [tag.weight for tag, _ in files])
        yield
    finally:
        if files:
            pipeline.parts.unload_lora_weights()


def _put_on(pipeline: Pipeline, tag: LoraTag, path: Path, name: str) -> None:
    try:
        pipeline.parts.load_lora_weights(_tensors(path), adapter_name=name)
    except (ValueError, RuntimeError, KeyError, IndexError, OSError, SafetensorError) as exc:
        raise TaskFailed(
            f"LoRA {tag.name!r} does not fit the checkpoint {pipeline.name!r}: {first_line(exc)}"
        ) from exc
    if not any(name in names for names in pipeline.parts.get_list_adapters().values()):
        raise TaskFailed(f"LoRA {tag.name!r} has nothing for the checkpoint {pipeline.name!r}")


def _tensors(path: Path) -> Mapping[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        return dict(load_file(path))
    held: Mapping[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return held
