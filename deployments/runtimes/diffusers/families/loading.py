"""Loads a checkpoint's file or folder into a diffusers pipeline, never from the network."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from deployments.runtimes.diffusers.families.vocabulary import write_tokenizer
from models.errors import TaskFailed

os.environ["HF_HUB_OFFLINE"] = "1"

HERE = Path(__file__).parent
_PADS = {"tokenizer": "<|endoftext|>", "tokenizer_2": "!"}
"""Padding of each tokenizer; SDXL's second encoder was trained with another one."""
_MARKS = {
    "sdxl": "conditioner.embedders.1.model.",
    "sd15": "cond_stage_model.transformer.text_model.",
}
"""Beginning of the tensors' names by which a family is told."""


def load(path: Path, dtype: torch.dtype, configurations: Path = HERE) -> Any:
    """Load a checkpoint as a diffusers pipeline, on the CPU; takes seconds.

    Raises:
        TaskFailed: a file whose tensors are of no known family.
    """
    from diffusers import DiffusionPipeline  # noqa: PLC0415  # seconds, and only now offline

    if path.is_dir():
        return DiffusionPipeline.from_pretrained(
            path, dtype=dtype, local_files_only=True, safety_checker=None
        )
    return _from_file(path, dtype, configurations)


def family(names: Iterable[str]) -> str | None:
    """Tell the family of a file's tensors, by the text encoder that it brings; None if unknown."""
    known = list(names)
    for name, mark in _MARKS.items():
        if any(key.startswith(mark) for key in known):
            return name
    return None


def _from_file(path: Path, dtype: torch.dtype, configurations: Path) -> Any:
    import diffusers  # noqa: PLC0415

    found = family(_tensor_names(path))
    if found is None:
        raise TaskFailed(
            f"checkpoint {path.name} is of no known family: it must hold the UNet, the VAE and "
            "the text encoder(s) of Stable Diffusion 1.x or SDXL"
        )
    classes = {"sd15": "StableDiffusionPipeline", "sdxl": "StableDiffusionXLPipeline"}
    with tempfile.TemporaryDirectory(prefix="atelier-") as folder:
        _configuration(configurations / found, Path(folder))
        # Without `config` diffusers asks the hub for one, even with `local_files_only`.
        return getattr(diffusers, classes[found]).from_single_file(
            str(path), config=folder, dtype=dtype, local_files_only=True
        )


def _configuration(source: Path, folder: Path) -> None:
    """Copy a family's folder, with the tokenizers that are made rather than shipped."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    for name in (
        ("tokenizer", "tokenizer_2") if (folder / "text_encoder_2").is_dir() else ("tokenizer",)
    ):
        if not (folder / name).is_dir():
            write_tokenizer(folder / name, _PADS[name])


def _tensor_names(path: Path) -> list[str]:
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as tensors:
            return list(tensors.keys())
    # With weights_only torch reads tensors, and refuses all else that a pickle would build.
    stored = torch.load(path, map_location="meta", weights_only=True)
    return list(stored.get("state_dict", stored))
