"""Checkpoint in a folder of diffusers' layout: its parts, each held to its architecture.

diffusers and transformers give a tensor that is missing random numbers, and a tokenizer without
its files an empty vocabulary, and say so in their logs alone.
"""

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from deployments.runtimes.diffusers.families.refusals import Whole, unreadable
from deployments.runtimes.diffusers.families.schedulers import class_fault, schedule_fault
from deployments.runtimes.diffusers.families.tokenizers import tokenizer_fault
from deployments.runtimes.diffusers.faults import readable
from models.checkpoints import PIPELINE_FOLDER
from models.errors import TaskFailed

_NETWORKS = {
    "unet": "the UNet",
    "vae": "the VAE",
    "text_encoder": "the text encoder",
    "text_encoder_2": "the second text encoder",
}
_OTHERS = {
    "scheduler": "the scheduler",
    "tokenizer": "the tokenizer",
    "tokenizer_2": "the second tokenizer",
}
_LIBRARIES = ("diffusers", "transformers")
_INDEX = "the list of its parts"
_CONFIGURATIONS = (
    *("config.json", "scheduler_config.json", "tokenizer_config.json", "tokenizer.json"),
    *("vocab.json", "added_tokens.json", "special_tokens_map.json", "*.index.json"),
)
_TOKENIZERS = {"text_encoder": "tokenizer", "text_encoder_2": "tokenizer_2"}
_UNUSED = ("safety_checker", "feature_extractor", "image_encoder")
"""Parts that no picture here is made with, whose files may be left out."""
_HARMLESS = re.compile(r".*\b(position_ids|logit_scale)$")
_SHARD = re.compile(r"-\d{5}-of-\d{5}")
_WEIGHTS = re.compile(
    r"(?:diffusion_pytorch_model|model|pytorch_model)(?:\.(?P<variant>[\w-]+))?"
    r"\.(?:safetensors|bin)"
)
_USUAL_VARIANT = "fp16"


def load_folder(path: Path, dtype: torch.dtype) -> Any:
    """Load a folder as a diffusers pipeline, on the CPU; takes seconds.

    Raises:
        TaskFailed: it is of another family, a part is missing or cannot be read, or its weights
            are not those of its architecture.
    """
    from diffusers import DiffusionPipeline  # noqa: PLC0415  # seconds, and only now offline

    index = _object(path.name, _INDEX, path / PIPELINE_FOLDER)
    used = {name: kind for name, kind in index.items() if isinstance(kind, list) and all(kind)}
    if not {"unet", "text_encoder"} <= used.keys():
        raise TaskFailed(f"checkpoint {path.name} is neither Stable Diffusion 1.x nor SDXL")
    _refuse_missing_parts(path, used, is_sdxl="XL" in str(index.get("_class_name")))
    _refuse_broken_configurations(path, used)
    parts = {"scheduler": _scheduler(path, used)}  # before what takes seconds
    parts |= dict(_networks(path, used, dtype))
    parts |= dict(_tokenizers(path, used, parts))
    left_out = {name: None for name in _UNUSED if name in index}
    with readable(f"checkpoint {path.name}: {_INDEX}"):
        return DiffusionPipeline.from_pretrained(
            path, dtype=dtype, local_files_only=True, **parts, **left_out
        )


def _object(checkpoint: str, part: str, file: Path) -> dict[str, Any]:
    """Read a file of a part that holds a JSON object.

    Raises:
        TaskFailed: it holds none; libraries would look for another one in the network.
    """
    try:
        read = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise unreadable(checkpoint, part, f"{file.name} is no JSON object")
    return read


def _refuse_broken_configurations(path: Path, used: Mapping[str, Any]) -> None:
    for name, word in (_NETWORKS | _OTHERS).items():
        if name in used:
            for pattern in _CONFIGURATIONS:
                for file in sorted((path / name).glob(pattern)):
                    _object(path.name, word, file)


def _refuse_missing_parts(path: Path, used: Mapping[str, Any], *, is_sdxl: bool) -> None:
    encoders = ("text_encoder", "text_encoder_2") if is_sdxl else ("text_encoder",)
    tokenizers = (_TOKENIZERS[name] for name in encoders)
    for name in ("scheduler", "unet", "vae", *encoders, *tokenizers):
        if name not in used:
            raise TaskFailed(
                f"checkpoint {path.name} is not whole: {PIPELINE_FOLDER} names no {name}"
            )
        if missing := _missing_files(path / name, name):
            raise TaskFailed(f"checkpoint {path.name} is not whole: {name}/ lacks {missing}")


def _missing_files(folder: Path, name: str) -> str | None:
    """Say which files a part's folder lacks; None if it has them."""
    files = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    if name == "scheduler":
        return None if "scheduler_config.json" in files else "scheduler_config.json"
    if name in _TOKENIZERS.values():
        is_whole = "tokenizer.json" in files or {"vocab.json", "merges.txt"} <= files
        return None if is_whole else "tokenizer.json, or vocab.json and merges.txt"
    if "config.json" not in files:
        return "config.json"
    return None if _variants(folder) else "its weights (*.safetensors)"


def _variants(folder: Path) -> set[str | None]:
    """Find the variants of a part's weights, such as ``fp16``; None is the one without a name."""
    matches = (_WEIGHTS.fullmatch(_SHARD.sub("", file.name)) for file in folder.iterdir())
    return {match["variant"] for match in matches if match}


def _networks(path: Path, used: Mapping[str, Any], dtype: torch.dtype) -> Iterator[tuple[str, Any]]:
    for name, word in _NETWORKS.items():
        if name not in used:
            continue
        with readable(f"checkpoint {path.name}: {word}"):
            library, kind = used[name]
            if library not in _LIBRARIES:
                continue  # diffusers knows what it is, or refuses it
            made, facts = getattr(importlib.import_module(library), kind).from_pretrained(
                path / name,
                dtype=dtype,
                local_files_only=True,
                variant=_variant(_variants(path / name)),
                output_loading_info=True,
                # transformers would name a wrong shape in its log alone; diffusers raises with it.
                **({"ignore_mismatched_sizes": True} if library == "transformers" else {}),
            )
        _check(Whole(path.name, word), made, facts)
        yield name, made


def _tokenizers(
    path: Path, used: Mapping[str, Any], networks: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    for encoder, name in _TOKENIZERS.items():
        if name not in used:
            continue
        with readable(f"checkpoint {path.name}: {_OTHERS[name]}"):
            library, kind = used[name]
            if library not in _LIBRARIES:
                continue  # diffusers knows what it is, or refuses it
            made = getattr(importlib.import_module(library), kind).from_pretrained(
                path / name, local_files_only=True
            )
            network = networks.get(encoder)
            known = network.get_input_embeddings().num_embeddings if network is not None else None
            fault = tokenizer_fault(made, known)
        if fault:
            raise unreadable(path.name, _OTHERS[name], fault)
        yield name, made


def _scheduler(path: Path, used: Mapping[str, Any]) -> Any:
    word, folder = _OTHERS["scheduler"], path / "scheduler"
    config = _object(path.name, word, folder / "scheduler_config.json")
    with readable(f"checkpoint {path.name}: {word}"):
        _, kind = used["scheduler"]
        fault = class_fault(config.get("_class_name", kind)) or class_fault(kind)
        if fault is None:
            made = getattr(importlib.import_module("diffusers"), kind).from_pretrained(
                folder, local_files_only=True
            )
            fault = schedule_fault(made.config)
    if fault:
        raise unreadable(path.name, word, fault)
    return made


def _variant(found: set[str | None]) -> str | None:
    if None in found:
        return None
    return _USUAL_VARIANT if _USUAL_VARIANT in found else min(filter(None, found))


def _check(whole: Whole, made: Any, facts: Mapping[str, Any]) -> None:
    whole.refuse_missing(sorted(facts["missing_keys"]), len(made.state_dict()))
    unexpected = sorted(facts["unexpected_keys"])
    whole.refuse_leftover([name for name in unexpected if not _HARMLESS.fullmatch(name)])
    whole.refuse_shapes(
        str(each[0] if isinstance(each, tuple) else each) for each in facts["mismatched_keys"]
    )
