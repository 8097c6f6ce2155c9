"""Network of ESRGAN and Real-ESRGAN upscalers, as their papers describe it, and its files.

Three naming schemes are about for the same weights; all are renamed to the names used here. The
shape of a network is read from the shapes of its tensors.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # the name everyone knows it by
from safetensors import SafetensorError
from torch import Tensor, nn

from deployments.runtimes.diffusers.tensors import read_tensors
from models.errors import TaskFailed

_LEAK = 0.2
_RESIDUE = 0.2
_DENSE = 5

_RENAMED = (
    # The first ESRGAN numbered its layers: 0 first, 1 trunk, then upsampling and the last two.
    (r"^model\.0\.", "first."),
    (r"^model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", r"blocks.\1.\2.\3."),
    # The second one, and then Real-ESRGAN, gave them names.
    (r"^conv_first\.", "first."),
    (r"^(?:RRDB_trunk|body)\.(\d+)\.(?:RDB|rdb)(\d)\.conv(\d)\.", r"blocks.\1.\2.\3."),
    (r"^(?:trunk_conv|conv_body)\.", "trunk."),
    (r"^(?:upconv|conv_up)(\d)\.", r"ups.\1."),
    (r"^(?:HRconv|conv_hr)\.", "full."),
    (r"^conv_last\.", "last."),
)


class Dense(nn.Module):
    """Dense block, each layer of which sees the outputs of all before it."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        outs = [growth] * (_DENSE - 1) + [width]
        self.layers = nn.ModuleDict(
            {
                str(n): nn.Conv2d(width + (n - 1) * growth, out, 3, padding=1)
                for n, out in enumerate(outs, 1)
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for layer in list(self.layers.values())[:-1]:
            seen = torch.cat([seen, F.leaky_relu(layer(seen), _LEAK)], dim=1)
        residue: Tensor = self.layers[str(_DENSE)](seen)
        return x + residue * _RESIDUE


class Block(nn.Module):
    """Residual of three dense blocks."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.dense = nn.ModuleDict({str(n): Dense(width, growth) for n in (1, 2, 3)})

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for dense in self.dense.values():
            y = dense(y)
        return x + y * _RESIDUE


class Rrdb(nn.Module):
    """Residual-in-residual dense blocks, then one doubling after another."""

    def __init__(self, *, width: int, growth: int, blocks: int, ups: int, shuffle: int) -> None:
        super().__init__()
        self.shuffle = shuffle
        """Side in pixels that is folded into channels; Real-ESRGAN's x2 and x1 are folded x4."""
        self.scale = 2**ups // shuffle
        self.first = nn.Conv2d(3 * shuffle**2, width, 3, padding=1)
        self.blocks = nn.ModuleList(Block(width, growth) for _ in range(blocks))
        self.trunk = nn.Conv2d(width, width, 3, padding=1)
        self.ups = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(ups))
        self.full = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge ``scale`` times: from 1 x 3 x height x width, 0 to 1, to the larger size."""
        first = self.first(F.pixel_unshuffle(x, self.shuffle))
        y = first
        for block in self.blocks:
            y = block(y)
        y = first + self.trunk(y)
        for up in self.ups:
            y = F.leaky_relu(up(F.interpolate(y, scale_factor=2, mode="nearest")), _LEAK)
        picture: Tensor = self.last(F.leaky_relu(self.full(y), _LEAK))
        return picture


def read_rrdb(path: Path) -> Rrdb:
    """Read the upscaler in a file, on the CPU.

    Raises:
        TaskFailed: the file holds another sort of network.
    """
    try:
        return _built(_named(_tensors(path)))
    except (KeyError, ValueError, RuntimeError, OSError, SafetensorError) as exc:
        raise TaskFailed(
            f"upscaler {path.stem}: not an ESRGAN or Real-ESRGAN network (RRDBNet)"
        ) from exc


def _tensors(path: Path) -> Mapping[str, Any]:
    tensors = read_tensors(path)
    # Where a file has both, the averaged weights (EMA) are those to paint with.
    for wrapper in ("params_ema", "params", "state_dict"):
        tensors = tensors.get(wrapper, tensors)
    return tensors


def _named(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    named = {}
    for name, tensor in _numbered_end(tensors).items():
        for pattern, known in _RENAMED:
            name = re.sub(pattern, known, name)  # noqa: PLW2901
        named[_nested(name)] = tensor.float()
    return named


def _numbered_end(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name the layers whose number in the first scheme depends on how many there are."""
    # 0 and 1 are the first layer and the trunk in every network.
    numbers = sorted({int(n) for key in tensors if (n := _number(key)) and int(n) > 1})
    renamed = {number: f"ups.{place}" for place, number in enumerate(numbers[:-2], 1)}
    renamed |= dict(zip(numbers[-2:], ("full", "last"), strict=False))
    trunk = next((k for k in tensors if re.match(r"^model\.1\.sub\.\d+\.weight$", k)), None)
    last_of_trunk = trunk.removesuffix("weight") if trunk else "\0"  # no key holds a NUL
    names = {}
    for key, tensor in tensors.items():
        number = _number(key)
        if number and int(number) in renamed:
            names[f"{renamed[int(number)]}.{key.rpartition('.')[2]}"] = tensor
        else:
            names[key.replace(last_of_trunk, "trunk.")] = tensor
    return names


def _number(key: str) -> str | None:
    match = re.match(r"^model\.(\d+)\.(?:weight|bias)$", key)
    return match[1] if match else None


def _nested(name: str) -> str:
    name = re.sub(r"^blocks\.(\d+)\.(\d)\.(\d)\.", r"blocks.\1.dense.\2.layers.\3.", name)
    return re.sub(r"^ups\.(\d)\.", lambda match: f"ups.{int(match[1]) - 1}.", name)


def _built(named: Mapping[str, Tensor]) -> Rrdb:
    width, channels = named["first.weight"].shape[:2]
    shuffle = {3: 1, 12: 2, 48: 4}[channels]  # folding multiplies RGB's channels by its square
    network = Rrdb(
        width=width,
        growth=named["blocks.0.dense.1.layers.1.weight"].shape[0],
        blocks=len({key.split(".")[1] for key in named if key.startswith("blocks.")}),
        ups=len({key.split(".")[1] for key in named if key.startswith("ups.")}),
        shuffle=shuffle,
    )
    network.load_state_dict(dict(named))
    return network.eval().requires_grad_(requires_grad=False)
