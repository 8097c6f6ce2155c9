"""LoRAs on a checkpoint: applied for one task, and removed without a trace."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from deployments.runtimes.diffusers.faults import first_line
from deployments.runtimes.diffusers.pipeline import Pipeline
from deployments.runtimes.diffusers.prompt import LoraTag
from deployments.runtimes.diffusers.tensors import read_tensors
from models.checkpoints import Shelf
from models.errors import TaskFailed


@contextmanager
def applied(pipeline: Pipeline, tags: Sequence[LoraTag], shelf: Shelf) -> Iterator[None]:
    """Apply LoRAs at their weights inside; outside, the checkpoint is itself exactly.

    Raises:
        TaskFailed: a LoRA is unknown (the message lists them), or not made for this checkpoint.
    """
    files = [(tag, shelf.find(tag.name)) for tag in tags if tag.weight != 0]
    try:
        for number, (tag, path) in enumerate(files):
            _load(pipeline, tag, path, f"lora{number}")
        if files:
            names = [f"lora{number}" for number in range(len(files))]
            pipeline.parts.set_adapters(names, [tag.weight for tag, _ in files])
        yield
    finally:
        if files:
            pipeline.parts.unload_lora_weights()  # also of those before one that failed


def _load(pipeline: Pipeline, tag: LoraTag, path: Path, name: str) -> None:
    try:
        pipeline.parts.load_lora_weights(read_tensors(path), adapter_name=name)
    except (ValueError, RuntimeError, KeyError, IndexError, OSError, SafetensorError) as exc:
        raise TaskFailed(
            f"LoRA {tag.name!r} does not fit the checkpoint {pipeline.name!r}: {first_line(exc)}"
        ) from exc
    # diffusers only logs a warning where no tensor's name fits.
    if not any(name in names for names in pipeline.parts.get_list_adapters().values()):
        raise TaskFailed(f"LoRA {tag.name!r} has nothing for the checkpoint {pipeline.name!r}")
