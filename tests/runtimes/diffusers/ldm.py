"""A tiny pipeline's tensors under the names of a single-file checkpoint, SD 1.x or SDXL."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from safetensors.torch import save_file

_RESNET = (
    ("norm1", "in_layers.0"),
    ("conv1", "in_layers.2"),
    ("time_emb_proj", "emb_layers.1"),
    ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"),
    ("conv_shortcut", "skip_connection"),
)
_UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
    # Two levels of one layer: attention in the outer one.
    "down_blocks.0.resnets.0": "input_blocks.1.0",
    "down_blocks.0.attentions.0": "input_blocks.1.1",
    "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
    "down_blocks.1.resnets.0": "input_blocks.3.0",
    "up_blocks.0.resnets.0": "output_blocks.0.0",
    "up_blocks.0.resnets.1": "output_blocks.1.0",
    "up_blocks.0.upsamplers.0.conv": "output_blocks.1.1.conv",
    "up_blocks.1.resnets.0": "output_blocks.2.0",
    "up_blocks.1.attentions.0": "output_blocks.2.1",
    "up_blocks.1.resnets.1": "output_blocks.3.0",
    "up_blocks.1.attentions.1": "output_blocks.3.1",
}
_VAE = (
    (r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}"),
    (r"mid_block\.attentions\.0\.group_norm", lambda _: "mid.attn_1.norm"),
    (r"mid_block\.attentions\.0\.to_([qkv])", lambda m: f"mid.attn_1.{m[1]}"),
    (r"mid_block\.attentions\.0\.to_out\.0", lambda _: "mid.attn_1.proj_out"),
    (r"down_blocks\.(\d)\.resnets\.(\d)", lambda m: f"down.{m[1]}.block.{m[2]}"),
    (r"down_blocks\.(\d)\.downsamplers\.0", lambda m: f"down.{m[1]}.downsample"),
    (r"up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"up_{m[1]}.block.{m[2]}"),
    (r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up_{m[1]}.upsample"),
    (r"conv_norm_out", lambda _: "norm_out"),
    (r"conv_shortcut", lambda _: "nin_shortcut"),
)

_OPEN_CLIP = (
    ("text_model.encoder.layers.", "transformer.resblocks."),
    ("text_model.embeddings.position_embedding", "positional_embedding"),
    ("text_model.embeddings.", ""),
    ("text_model.final_layer_norm", "ln_final"),
    ("layer_norm", "ln_"),
    ("self_attn", "attn"),
    ("fc1", "c_fc"),
    ("fc2", "c_proj"),
)


def single_file(folder: Path, file: Path, *, rests: bool = True) -> None:
    """Write the pipeline of a folder as one file, with rests of its training or without."""
    pipeline = DiffusionPipeline.from_pretrained(folder, safety_checker=None, local_files_only=True)
    tensors = dict(_tensors(pipeline)) | (dict(_left_from_training()) if rests else {})
    if file.suffix == ".safetensors":
        save_file(tensors, file)
    else:
        torch.save({"state_dict": tensors, "global_step": 840_000}, file)


def _tensors(pipeline: Any) -> Iterator[tuple[str, torch.Tensor]]:
    for name, tensor in pipeline.unet.state_dict().items():
        yield f"model.diffusion_model.{_of_unet(name)}", tensor.contiguous()
    for name, tensor in pipeline.vae.state_dict().items():
        levels = len(pipeline.vae.config.block_out_channels)
        yield f"first_stage_model.{_of_vae(name, levels)}", _convolved(name, tensor).contiguous()
    is_sdxl = hasattr(pipeline, "text_encoder_2")
    positions = torch.arange(pipeline.text_encoder.config.max_position_embeddings)
    place = "conditioner.embedders.0" if is_sdxl else "cond_stage_model"
    yield f"{place}.transformer.text_model.embeddings.position_ids", positions[None]
    for name, tensor in pipeline.text_encoder.state_dict().items():
        yield f"{place}.transformer.text_model.{name}", tensor.contiguous()
    if is_sdxl:
        yield "conditioner.embedders.1.model.logit_scale", torch.tensor(4.6)
        for name, tensor in _open_clip(pipeline.text_encoder_2.state_dict()):
            yield f"conditioner.embedders.1.model.{name}", tensor.contiguous()


def _left_from_training() -> Iterator[tuple[str, torch.Tensor]]:
    """Yield tensors that published files carry and no picture needs."""
    yield "alphas_cumprod", torch.ones(1000)
    yield "model_ema.decay", torch.tensor(0.9999)


def _open_clip(tensors: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """Rename to the second encoder's layout: query, key, value in one; projection transposed."""
    for name, tensor in tensors.items():
        stem, _, kind = name.rpartition(".")
        if stem.endswith("q_proj"):
            whole = [tensors[f"{stem[:-6]}{part}_proj.{kind}"] for part in "qkv"]
            yield f"{_of_open_clip(stem.removesuffix('.q_proj'))}.in_proj_{kind}", torch.cat(whole)
        elif stem == "text_projection":
            yield stem, tensor.T
        elif not stem.endswith(("k_proj", "v_proj")):
            bare = stem.startswith("text_model.embeddings.position")
            yield _of_open_clip(stem) + ("" if bare else f".{kind}"), tensor


def _of_open_clip(name: str) -> str:
    for ours, theirs in _OPEN_CLIP:
        name = name.replace(ours, theirs)
    return name


def _of_unet(name: str) -> str:
    start = max((known for known in _UNET if name.startswith(f"{known}.")), key=len)
    rest = name.removeprefix(start)
    if ".resnets." in name:
        for ours, theirs in _RESNET:
            rest = rest.replace(ours, theirs)
    return _UNET[start] + rest


def _of_vae(name: str, levels: int) -> str:
    for pattern, known in _VAE:
        name = re.sub(pattern, known, name)
    # Its levels are counted from the outermost one in both directions.
    return re.sub(r"\bup_(\d)", lambda match: f"up.{levels - 1 - int(match[1])}", name)


def _convolved(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Shape the attention as the first VAEs did, of convolutions."""
    if "attentions" in name and name.endswith("weight") and "norm" not in name:
        return tensor[:, :, None, None]
    return tensor
