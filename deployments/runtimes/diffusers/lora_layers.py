"""Modules of a checkpoint under the names that trainers give them, and a LoRA's change of each."""

import re
from collections.abc import Iterator
from typing import Any

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from deployments.runtimes.diffusers.lora_file import Layer

Change = tuple[Tensor, ...]
"""Two factors of a change, or the whole of it, each in the shape that its module takes."""

_UNET = (
    *("lora_unet_", "lycoris_unet_", "unet_", "base_model_model_unet_", "base_model_model_"),
    *("model_diffusion_model_", "diffusion_model_", "lycoris_", ""),
)
_TEXT = {
    "text_encoder": ("lora_te_", "lora_te1_", "text_encoder_", "lycoris_text_encoder_"),
    "text_encoder_2": ("lora_te2_", "text_encoder_2_", "lycoris_text_encoder_2_"),
}
_LEVEL = "text_model_"
"""Level of names in a text encoder that newer transformers leave out."""
_RESNET = {
    "norm1": "in_layers_0",
    "conv1": "in_layers_2",
    "time_emb_proj": "emb_layers_1",
    "norm2": "out_layers_0",
    "conv2": "out_layers_3",
    "conv_shortcut": "skip_connection",
}
_OUTER = {
    "time_embedding_linear_1": "time_embed_0",
    "time_embedding_linear_2": "time_embed_2",
    "add_embedding_linear_1": "label_emb_0_0",
    "add_embedding_linear_2": "label_emb_0_2",
    "conv_in": "input_blocks_0_0",
    "conv_out": "out_2",
}


class Modules:
    """Modules of a pipeline that a LoRA can change, by each name that one has."""

    def __init__(self, parts: Any) -> None:
        unet = {
            known: module
            for name, module in _changeable(parts.unet)
            for known in _names_in_unet(name, parts.unet.config.layers_per_block)
        }
        self._named = [(prefix, unet) for prefix in _UNET]
        for encoder, prefixes in _TEXT.items():
            if (network := getattr(parts, encoder, None)) is not None:
                text = {name.removeprefix(_LEVEL): module for name, module in _changeable(network)}
                self._named += [
                    (f"{prefix}{level}", text) for prefix in prefixes for level in (_LEVEL, "")
                ]

    def find(self, layer: str) -> nn.Module | None:
        """Find the module that a layer of a file is for; None if there is none."""
        # Attention was once trained by processors of its own.
        name = layer.replace(".", "_").replace("_processor_", "_")
        for prefix, modules in self._named:
            if name.startswith(prefix) and (found := modules.get(name[len(prefix) :])) is not None:
                return found
        return None


def change_of(layer: Layer, module: nn.Module) -> Change:
    """Compute what a layer adds to its module at full strength, on the module's device.

    Raises:
        ValueError, RuntimeError, IndexError: the shapes do not fit.
    """
    weight: Tensor = module.weight  # type: ignore[assignment]
    if layer.pair is None:
        return (layer.change(weight).to(weight),)
    down, up = layer.pair
    rank, (out, *inner) = down.shape[0], weight.shape
    ones = [1] * (weight.dim() - 2)
    return down.reshape(rank, *inner).to(weight), up.reshape(out, rank, *ones).to(weight)


def added(module: nn.Module, change: Change, given: Tensor) -> Tensor:
    """Return what a change adds to a module's output for what it is given."""
    if not isinstance(module, nn.Conv2d):
        for matrix in change:
            given = F.linear(given, matrix)
        return given
    first, *second = change
    made = F.conv2d(given, first, None, module.stride, module.padding, module.dilation)
    return F.conv2d(made, second[0]) if second else made


def _changeable(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            yield name.replace(".", "_"), module


def _names_in_unet(name: str, layers: int) -> Iterator[str]:
    """Name a module as diffusers does, and as the first Stable Diffusion's own code.

    ``layers``: ResNets of a block of the UNet.
    """
    yield name
    if name.endswith("_to_out_0"):  # once told without its number
        yield name.removesuffix("_0")
    if name in _OUTER:
        yield _OUTER[name]
    if match := re.fullmatch(r"mid_block_(resnets|attentions)_(\d+)_(.+)", name):
        kind, number, rest = match[1], int(match[2]), match[3]
        yield f"middle_block_{2 * number + (kind == 'attentions')}_{_inner(kind, rest)}"
    elif match := re.fullmatch(r"(down|up)_blocks_(\d+)_(resnets|attentions)_(\d+)_(.+)", name):
        kind, rest = match[3], match[5]
        number = int(match[2]) * (layers + 1) + int(match[4])
        place = f"input_blocks_{number + 1}" if match[1] == "down" else f"output_blocks_{number}"
        yield f"{place}_{int(kind == 'attentions')}_{_inner(kind, rest)}"
    elif match := re.fullmatch(r"(down|up)_blocks_(\d+)_(?:down|up)samplers_0_conv", name):
        after = (int(match[2]) + 1) * (layers + 1)
        if match[1] == "down":
            yield f"input_blocks_{after}_0_op"
        else:  # behind its block's attention, if there is one
            yield f"output_blocks_{after - 1}_1_conv"
            yield f"output_blocks_{after - 1}_2_conv"


def _inner(kind: str, rest: str) -> str:
    return _RESNET.get(rest, rest) if kind == "resnets" else rest
