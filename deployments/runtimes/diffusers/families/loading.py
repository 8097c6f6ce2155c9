"""Loads a checkpoint's file or folder into a diffusers pipeline, never from the network."""

import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from deployments.runtimes.diffusers.families import single_file
from deployments.runtimes.diffusers.families.folder import load_folder
from deployments.runtimes.diffusers.families.vocabulary import write_tokenizer

os.environ["HF_HUB_OFFLINE"] = "1"

HERE = Path(__file__).parent
_CLASSES = {"sd15": "StableDiffusionPipeline", "sdxl": "StableDiffusionXLPipeline"}
_UNCHECKED = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
"""Parts of the first pipeline that judge pictures, which a single file never has."""
_PADS = {"tokenizer": "<|endoftext|>", "tokenizer_2": "!"}
"""Padding of each tokenizer; SDXL's second encoder was trained with another one."""


def load(path: Path, dtype: torch.dtype, configurations: Path = HERE) -> Any:
    """Load a checkpoint as a diffusers pipeline, on the CPU; takes seconds.

    Raises:
        TaskFailed: a file whose tensors are of no known family, or a checkpoint that is not whole.
    """
    return load_folder(path, dtype) if path.is_dir() else _from_file(path, dtype, configurations)


def _from_file(path: Path, dtype: torch.dtype, configurations: Path) -> Any:
    import diffusers  # noqa: PLC0415  # seconds, and only now offline

    tensors = single_file.read_file(path)
    family = single_file.file_family(path, tensors)
    folder = configurations / family
    parts = single_file.networks(path, single_file.PARTS[family], tensors, folder, dtype)
    parts["scheduler"] = single_file.scheduler(path, tensors, folder / "scheduler")
    for name in ("tokenizer", "tokenizer_2") if family == "sdxl" else ("tokenizer",):
        parts[name] = _tokenizer(folder / name, _PADS[name])
    return getattr(diffusers, _CLASSES[family])(**parts, **(_UNCHECKED if family == "sd15" else {}))


def _tokenizer(folder: Path, pad: str) -> Any:
    """Read a family's tokenizer, which is made rather than shipped."""
    import transformers  # noqa: PLC0415

    if folder.is_dir():
        return transformers.CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    with tempfile.TemporaryDirectory(prefix="atelier-") as made:
        write_tokenizer(Path(made), pad)
        return transformers.CLIPTokenizer.from_pretrained(made, local_files_only=True)
