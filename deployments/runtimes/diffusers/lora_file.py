"""LoRA in a file: its layers, whatever trainer wrote them, and what each adds to a weight.

Knows no checkpoint: `deployments.runtimes.diffusers.lora_layers` finds the module of each layer.
"""

import re
from collections.abc import Iterable, Mapping
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
_SHOWN = {"down": "lora_down", "up": "lora_up", "mid": "lora_mid", "dora": "dora_scale"}
"""Names of roles in messages, where they are others than the roles themselves."""
_MATRICES = re.compile(r"down|up|hada_w\d_[ab]|lokr_w\d_[ab]")
_CORES = frozenset({"mid", "hada_t1", "hada_t2", "lokr_t2"})
_WITH_ANY = frozenset({"alpha", "dora"})
_SORTS: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (frozenset({"down", "up"}), frozenset({"mid"})),
    (
        frozenset({"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"}),
        frozenset({"hada_t1", "hada_t2"}),
    ),
    (frozenset({"lokr_w1", "lokr_w2"}), frozenset()),
    (frozenset({"lokr_w1_a", "lokr_w1_b", "lokr_w2"}), frozenset()),
    (frozenset({"lokr_w1", "lokr_w2_a", "lokr_w2_b"}), frozenset({"lokr_t2"})),
    (frozenset({"lokr_w1_a", "lokr_w1_b", "lokr_w2_a", "lokr_w2_b"}), frozenset({"lokr_t2"})),
)
"""Roles that a layer of each sort has, and those that it may have."""
_MATRIX, _CORE = 2, 4
"""Dimensions of a factor, and of the core between two (Tucker's form)."""
_LARGEST = 65_504
"""Largest number of half precision, which a checkpoint computes with on a GPU."""
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
            ValueError, RuntimeError, IndexError: the shapes do not fit.
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
        TaskFailed: the file is no LoRA, of a sort that is unsupported, or broken; the message is
            the end of a sentence that begins with the file's name.
    """
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        match = _NAME.fullmatch(name)
        if match is None:
            raise TaskFailed(_what_it_is(name))
        if not isinstance(tensor, Tensor) or not are_numbers(tensor):
            raise TaskFailed(
                f"is broken: {name} has values that are no numbers from -{_LARGEST} to {_LARGEST}"
            )
        found.setdefault(match["layer"], {})[_PARTS[match["part"]]] = tensor
    layers = [
        Layer(name, parts)
        for name, parts in found.items()
        if parts.keys() != {"alpha"}  # it scales nothing
    ]
    for layer in layers:
        if fault := _roles_fault(frozenset(layer.parts)) or _shapes_fault(layer.parts):
            raise TaskFailed(f"is broken: {layer.name} {fault}")
    return layers


def are_numbers(tensor: Tensor) -> bool:
    """Tell whether all values of a tensor are real and finite, and none is larger than halves."""
    if tensor.is_complex() or tensor.is_quantized:
        return False
    # NaN is within no bounds.
    return tensor.numel() == 0 or bool((tensor.float().abs() <= _LARGEST).all())


def _roles_fault(roles: frozenset[str]) -> str | None:
    """Say which tensors of its sort a layer lacks, or has too many; None if it is whole."""
    own = roles - _WITH_ANY
    # The sort that it is nearest to.
    needed, allowed = min(
        _SORTS, key=lambda sort: (len(own - sort[0] - sort[1]), len(sort[0] - own))
    )
    if missing := needed - own:
        return f"lacks {_shown(missing)}"
    if surplus := own - needed - allowed:
        return f"has {_shown(surplus)} beside {_shown(needed)}"
    return None


def _shapes_fault(parts: Tensors) -> str | None:
    """Say what is wrong with the shapes of a layer's tensors, by themselves; None if nothing is."""
    for role, tensor in parts.items():
        shape = "x".join(map(str, tensor.shape)) or "a single number"
        if tensor.numel() == 0:
            return f"has {_shown([role])} of {shape}: it holds nothing"
        if role == "alpha" and tensor.numel() != 1:
            return f"has alpha of {shape}: it must be one number"
        if _MATRICES.fullmatch(role) and tensor.dim() < _MATRIX:
            return f"has {_shown([role])} of {shape}: it must be a matrix"
        if role in _CORES and tensor.dim() != _CORE:
            return f"has {_shown([role])} of {shape}: it must have {_CORE} dimensions"
    if {"down", "up"} <= parts.keys() and "mid" not in parts:
        ranks = parts["down"].shape[0], parts["up"].shape[1]
        if ranks[0] != ranks[1]:
            return f"has lora_down of rank {ranks[0]} and lora_up of rank {ranks[1]}"
    return None


def _shown(roles: Iterable[str]) -> str:
    return ", ".join(sorted(_SHOWN.get(role, role) for role in roles))


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
