"""LoRA in a file: its layers, whatever trainer wrote them, and what each adds to a weight.

Knows no checkpoint: `deployments.runtimes.diffusers.lora_layers` finds the module of each layer.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.errors import TaskFailed

Tensors = Mapping[str, Tensor]

_PARTS = {
    **dict.fromkeys(
        ("lora_down.weight", "lora_A.weight", "lora.down.weight", "lora_linear_layer.down.weight"),
        "down",
    ),
    **dict.fromkeys(
        ("lora_up.weight", "lora_B.weight", "lora.up.weight", "lora_linear_layer.up.weight"), "up"
    ),
    **dict.fromkeys(
        ("dora_scale", "lora_magnitude_vector", "lora_magnitude_vector.weight"), "dora"
    ),
    "lora_mid.weight": "mid",
    "alpha": "alpha",
    **{f"hada_{part}": f"hada_{part}" for part in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")},
    **{
        f"lokr_{part}": f"lokr_{part}"
        for part in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")
    },
}
"""Role of a layer's tensor by the end of its name, in the words of each trainer."""
# "to_q_lora.down.weight" is diffusers' first way to name what is "to_q.lora.down.weight" today.
_NAME = re.compile(
    r"(?P<layer>.+?)(?:\.|_(?=lora\.(?:down|up)\.))(?P<part>"
    + "|".join(map(re.escape, sorted(_PARTS, key=len, reverse=True)))
    + r")"
)
_OTHER_SORTS = (
    (r"bundle_emb\.(?P<name>[^.]+)\..*", "brings the embedding {name!r}, which no prompt can name"),
    (r".*\.(oft_\w+|boft\w*)", "is an OFT, which is unsupported here"),
    (r".*\.(on_input)", "is an IA3, which is unsupported here"),
    (r".*\.([ab][12]\.weight|bm\.weight)", "is a GLoRA, which is unsupported here"),
    (r".*\.(diff|diff_b)", "holds whole differences (.diff), which are unsupported here"),
    (r".*\.([wb]_norm)", "changes layers of norms (.w_norm), which is unsupported here"),
)
"""Names of tensors by which files of other sorts are told, and what they are."""


@dataclass(frozen=True, eq=False)
class Layer:
    """Change of one weight, as its file describes it."""

    name: str
    """Name in the file, without the tensor's own part."""
    parts: Tensors

    @property
    def pair(self) -> tuple[Tensor, Tensor] | None:
        """The two factors of a plain LoRA, scaled; None for any other sort."""
        if not {"down", "up"} <= self.parts.keys() or {"mid", "dora"} & self.parts.keys():
            return None
        down = self.parts["down"].float()
        return down, self.parts["up"].float() * self._scale(down.shape[0])

    def change(self, weight: Tensor) -> Tensor:
        """Return what is added to a weight at full strength, in its shape; computed in float32.

        Raises:
            ValueError, RuntimeError: the shapes do not fit.
            KeyError: a tensor of the layer is missing.
        """
        base = weight.float()
        added = self._difference(base).reshape(base.shape)
        if (magnitude := self.parts.get("dora")) is None:
            return added
        return _stretched(base + added, magnitude.to(base)) - base

    def _difference(self, base: Tensor) -> Tensor:
        parts = {name: part.to(base) for name, part in self.parts.items()}
        if "hada_w1_a" in parts:
            product = _factor(parts, "hada_w1", "hada_t1") * _factor(parts, "hada_w2", "hada_t2")
            return product * self._scale(parts["hada_w1_b"].shape[0])
        if "lokr_w1" in parts or "lokr_w1_a" in parts:
            return self._kronecker(parts)
        down, up = parts["down"], parts["up"]
        rank = down.shape[0]
        if "mid" in parts:
            whole = torch.einsum("nmkl,mi,on->oikl", parts["mid"], _flat(down), _flat(up))
        else:
            whole = _flat(up) @ _flat(down)
        return whole * self._scale(rank)

    def _kronecker(self, parts: Tensors) -> Tensor:
        left = parts["lokr_w1"] if "lokr_w1" in parts else _factor(parts, "lokr_w1")
        right = parts["lokr_w2"] if "lokr_w2" in parts else _factor(parts, "lokr_w2", "lokr_t2")
        if right.dim() > left.dim():
            left = left.reshape(*left.shape, *[1] * (right.dim() - left.dim()))
        inner = next((parts[name] for name in ("lokr_w1_b", "lokr_w2_b") if name in parts), None)
        scale = 1.0 if inner is None else self._scale(inner.shape[0])
        return torch.kron(left, right.contiguous()) * scale

    def _scale(self, rank: int) -> float:
        alpha = self.parts.get("alpha")
        return 1.0 if alpha is None else float(alpha) / rank


def layers_of(tensors: Mapping[str, Any]) -> list[Layer]:
    """Sort a file's tensors by the layers that they change.

    Raises:
        TaskFailed: the file is no LoRA, or of a sort that is unsupported; the message is the end
            of a sentence that begins with the file's name.
    """
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        match = _NAME.fullmatch(name)
        if match is None:
            raise TaskFailed(_what_it_is(name))
        found.setdefault(match["layer"], {})[_PARTS[match["part"]]] = tensor
    return [
        Layer(name, parts)
        for name, parts in found.items()
        if parts.keys() != {"alpha"}  # it scales nothing
    ]


def _what_it_is(name: str) -> str:
    for pattern, said in _OTHER_SORTS:
        if match := re.fullmatch(pattern, name):
            return said.format(**match.groupdict())
    return f"has a tensor that no LoRA has: {name}"


def _flat(tensor: Tensor) -> Tensor:
    """Return a factor as a matrix: the kernel of a convolution stands in its columns."""
    return tensor.reshape(tensor.shape[0], -1)


def _factor(parts: Tensors, name: str, core: str = "") -> Tensor:
    """Multiply a matrix from its two factors, and the core between them where there is one."""
    left, right = parts[f"{name}_a"], parts[f"{name}_b"]
    if core not in parts:
        return left @ right
    # LoHa's first factor stands transposed when there is a core (Tucker's form).
    return torch.einsum("nmkl,mi,no->oikl", parts[core], right, left)


def _stretched(weight: Tensor, magnitude: Tensor) -> Tensor:
    """Give each row of a weight, or each column, the length that a DoRA's magnitude says."""
    lengths = dict(enumerate(weight.shape[:2]))
    axis = next((axis for axis in lengths if magnitude.numel() == lengths[axis]), None)
    if magnitude.dim() > 1 and magnitude.shape[0] == 1:  # columns, in a square weight as well
        axis = 1 if magnitude.numel() == lengths[1] else None
    if axis is None:
        raise ValueError(f"dora_scale of {tuple(magnitude.shape)} beside {tuple(weight.shape)}")
    shape = [1] * weight.dim()
    shape[axis] = lengths[axis]
    others = [each for each in range(weight.dim()) if each != axis]
    norms = weight.square().sum(dim=others).sqrt().clamp_min(torch.finfo(weight.dtype).tiny)
    return weight * (magnitude.reshape(shape) / norms.reshape(shape))
