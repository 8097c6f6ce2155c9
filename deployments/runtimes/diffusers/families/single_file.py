"""Checkpoint in a single file: its tensors, the networks that they make, and what is at fault.

The file has the names of the first Stable Diffusion's own code; diffusers' converters give them
its own. A converter takes what it finds, so the result is held to the architecture here.
"""

import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deployments.runtimes.diffusers.families.marks import MARKS, marked
from deployments.runtimes.diffusers.families.refusals import Whole, refuse_channels
from deployments.runtimes.diffusers.faults import described
from deployments.runtimes.diffusers.tensors import read_tensors
from models.errors import TaskFailed

log = logging.getLogger("ray.serve.atelier.diffusers")

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Part:
    """Network of a family's pipeline, and how a file names its tensors."""

    name: str
    """Attribute of diffusers' pipeline, and folder of its configuration."""
    word: str
    prefix: str
    harmless: str = r"(?!)"
    """Pattern of the names, behind the prefix, that no picture needs."""


_TEXT_HARMLESS = r".*\b(position_ids|logit_scale|text_projection(\.weight)?|attn_mask)$"
_BOTH = (
    Part("unet", "the UNet", "model.diffusion_model."),
    Part("vae", "the VAE", "first_stage_model.", r"loss\..*|model_ema\..*"),
)
_FIRST_ENCODERS = {
    "sd15": Part(
        "text_encoder", "the text encoder", "cond_stage_model.transformer.", _TEXT_HARMLESS
    ),
    "sdxl": Part(
        "text_encoder",
        "the first text encoder",
        "conditioner.embedders.0.transformer.",
        _TEXT_HARMLESS,
    ),
}
_SECOND_ENCODER = Part(
    "text_encoder_2",
    "the second text encoder",
    "conditioner.embedders.1.model.",
    r"logit_scale|attn_mask",
)
PARTS: Mapping[str, tuple[Part, ...]] = {
    "sd15": (*_BOTH, _FIRST_ENCODERS["sd15"]),
    "sdxl": (*_BOTH, _FIRST_ENCODERS["sdxl"], _SECOND_ENCODER),
}
_OTHER_ENCODERS = ("cond_stage_model.model.", "conditioner.embedders.0.model.")
"""Beginnings of the text encoder's names in Stable Diffusion 2 and in SDXL's refiner."""
_LEFT_FROM_TRAINING = re.compile(
    r"(model_ema|denoiser|embedding_manager)\..*|(alphas|betas|sqrt|log|posterior|lvlb)\w*|logvar"
    r"|global_step|cond_stage_model\.logit_scale|conditioner\.embedders\.0\.logit_scale"
)


def family(names: Iterable[str]) -> str | None:
    """Tell the family of a file's tensors, by the text encoder that it brings; None if unknown."""
    known = list(names)
    if _has(known, _SECOND_ENCODER.prefix, _FIRST_ENCODERS["sdxl"].prefix):
        return "sdxl"
    return "sd15" if _has(known, _FIRST_ENCODERS["sd15"].prefix) else None


def read_file(path: Path) -> Tensors:
    """Read the tensors of a file, by the names that its family's first files had."""
    stored = read_tensors(path)
    tensors = stored.get("state_dict", stored)
    return {_full(name): value for name, value in tensors.items() if isinstance(value, Tensor)}


def file_family(path: Path, tensors: Tensors) -> str:
    """Tell the family of a file that holds each part of it.

    Raises:
        TaskFailed: it is of no known family, or a part is missing.
    """
    found = family(tensors) or _family_of_unet(tensors)
    if found is None:
        raise TaskFailed(
            f"checkpoint {path.name} is of no known family: it must hold the UNet, the VAE and "
            "the text encoder(s) of Stable Diffusion 1.x or SDXL"
        )
    missing = [part for part in PARTS[found] if not _has(tensors, part.prefix)]
    if missing:
        said = ", ".join(f"{part.word} ({part.prefix}*)" for part in missing)
        raise TaskFailed(f"checkpoint {path.name} is not whole: it lacks {said}")
    return found


def networks(
    path: Path, parts: Iterable[Part], tensors: Tensors, folder: Path, dtype: torch.dtype
) -> dict[str, Any]:
    """Make a file's networks by the configurations in a folder, each held to its architecture.

    Raises:
        TaskFailed: a network is not whole, or has what does not belong to it.
    """
    made, rest = {}, dict(tensors)
    for part in parts:
        own = {name: rest.pop(name) for name in list(rest) if name.startswith(part.prefix)}
        kept = {
            name: tensor
            for name, tensor in own.items()
            if not re.fullmatch(part.harmless, name.removeprefix(part.prefix))
        }
        made[part.name] = _network(path, part, kept, folder / part.name, dtype)
    unused = [
        name for name in rest if name not in MARKS and not _LEFT_FROM_TRAINING.fullmatch(name)
    ]
    if unused:
        extra = {"checkpoint": path.name, "count": len(unused), "names": unused[:10]}
        log.warning("checkpoint_tensors_unused", extra=extra)
    return made


def scheduler(path: Path, tensors: Tensors, folder: Path) -> Any:
    """Make the scheduler of a folder's configuration as the file's own marks change it.

    Raises:
        TaskFailed: the file was trained with noise that no sampler here knows.
    """
    import diffusers  # noqa: PLC0415

    config = json.loads((folder / "scheduler_config.json").read_text())
    try:
        return getattr(diffusers, config["_class_name"]).from_config(marked(config, tensors))
    except TaskFailed as exc:
        raise TaskFailed(f"checkpoint {path.name}: {exc}") from exc


def _full(name: str) -> str:
    """Name a text encoder's tensor with the level that some trainers leave out."""
    for part in _FIRST_ENCODERS.values():
        if (inner := name.removeprefix(part.prefix)) != name and inner.startswith(
            ("embeddings.", "encoder.", "final_layer_norm.")
        ):
            return f"{part.prefix}text_model.{inner}"
    return name


def _family_of_unet(names: Iterable[str]) -> str | None:
    """Tell the family of a file without a text encoder, or with one of no known family."""
    known = list(names)
    if not _has(known, "model.diffusion_model.input_blocks.") or _has(known, *_OTHER_ENCODERS):
        return None
    return "sdxl" if _has(known, "model.diffusion_model.label_emb.") else "sd15"


def _has(names: Iterable[str], *prefixes: str) -> bool:
    return any(name.startswith(prefixes) for name in names)


def _network(path: Path, part: Part, tensors: Tensors, folder: Path, dtype: torch.dtype) -> Any:
    network = _empty(part, folder)
    try:
        converted = _converted(part, network, tensors)
    except (KeyError, AttributeError, IndexError, ValueError, RuntimeError) as exc:
        raise TaskFailed(
            f"checkpoint {path.name} is not whole: {part.word} cannot be read ({described(exc)})"
        ) from exc
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in converted.items()}
    if part.name == "unet" and len(given.get("conv_in.weight", ())) > 1:
        refuse_channels(path.name, given["conv_in.weight"][1], wanted["conv_in.weight"][1])
    Whole(path.name, part.word).check(wanted, given, _leftover(part, tensors, converted))
    network.load_state_dict(converted, assign=True)
    return network.to(dtype).eval()


def _empty(part: Part, folder: Path) -> Any:
    """Make a network without its weights, of the configuration in a folder."""
    import diffusers  # noqa: PLC0415
    import transformers  # noqa: PLC0415
    from accelerate import init_empty_weights  # noqa: PLC0415  # it imports the hub's client

    with init_empty_weights():
        match part.name:
            case "unet" | "vae":
                names = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL"}
                kind = getattr(diffusers, names[part.name])
                return kind.from_config(kind.load_config(folder))
            case "text_encoder":
                kind = transformers.CLIPTextModel
            case _:
                kind = transformers.CLIPTextModelWithProjection
        return kind(transformers.CLIPTextConfig.from_pretrained(folder, local_files_only=True))


def _converted(part: Part, network: Any, tensors: Tensors) -> dict[str, Tensor]:
    from diffusers.loaders import single_file_utils as converters  # noqa: PLC0415

    given = dict(tensors)
    match part.name:
        case "unet":
            made = converters.convert_ldm_unet_checkpoint(given, network.config)
        case "vae":
            made = converters.convert_ldm_vae_checkpoint(given, network.config)
        case "text_encoder":
            made = {name.removeprefix(part.prefix): tensor for name, tensor in given.items()}
        case _:
            made = converters.convert_open_clip_checkpoint(network, given, prefix=part.prefix)
    if not hasattr(network, "text_model"):  # newer transformers have one level fewer
        made = {name.removeprefix("text_model."): tensor for name, tensor in made.items()}
    return {name: tensor for name, tensor in made.items() if tensor is not None}


def _leftover(part: Part, tensors: Tensors, converted: Tensors) -> list[str]:
    """Name the tensors of a file that none of the converted ones was made of."""
    if part.name == "text_encoder":
        return []  # each keeps its name, so the architecture's own show it
    if part.name == "text_encoder_2":
        from diffusers.loaders import single_file_utils as converters  # noqa: PLC0415

        known = set(converters.DIFFUSERS_TO_LDM_MAPPING["openclip"]["layers"].values())
        inner = [name.removeprefix(part.prefix) for name in tensors]
        return [name for name in inner if not name.startswith("transformer.") and name not in known]
    # A converted tensor is the file's own or a view of it, in the same place of memory.
    used = {tensor.data_ptr() for tensor in converted.values()}
    return [name for name, tensor in tensors.items() if tensor.data_ptr() not in used]
