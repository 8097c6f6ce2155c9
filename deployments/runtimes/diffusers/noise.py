"""Noise of a picture, drawn from its seeds on the CPU: there a seed means the same everywhere."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

_SEEDS = 2**32
_PARALLEL = 0.9995  # cosine above which two noises are mixed along a line


@dataclass(frozen=True)
class Seeds:
    """Seeds of one picture's noise, and how they are mixed, as in the Web UI."""

    seed: int
    variation: int = 0
    """Seed of a second noise."""
    strength: float = 0.0
    """Share of the second noise, 0 to 1."""
    resized_from: tuple[int, int] | None = None
    """Height and width, in latents, of the picture whose noise is set in the middle of this."""
    delta: int = 0
    """Difference of the seed from which samplers draw their own noise; 0: they draw on."""

    def first(self, shape: Sequence[int]) -> tuple[torch.Tensor, torch.Generator]:
        """Draw the first noise, 1 x ``shape``; return what later noise is drawn from, too."""
        later = generator(self.seed)
        drawn = torch.randn(*shape, generator=later)
        noise = drawn
        if self.resized_from and self.resized_from != tuple(shape[1:]):
            noise = _set_in(drawn, self._mixed((shape[0], *self.resized_from)))
        elif self.strength:
            noise = self._mixed(shape)
        return noise[None], generator(self.seed + self.delta) if self.delta else later

    def _mixed(self, shape: Sequence[int]) -> torch.Tensor:
        noise = torch.randn(*shape, generator=generator(self.seed))
        if not self.strength:
            return noise
        return _between(
            noise, torch.randn(*shape, generator=generator(self.variation)), self.strength
        )


class BrownianNoise:
    """Noise between two sigmas, of a Brownian path: the same however its steps are cut."""

    def __init__(self, seed: int, like: torch.Tensor, span: tuple[float, float]) -> None:
        self._seed, self._like, self._span = seed, like, span
        self._path: Any = None

    def __call__(self, sigma: float, after: float) -> torch.Tensor:
        """Return noise of size 1, 1 x channels x height x width; sigma is above ``after``."""
        if self._path is None:
            self._path = self._new_path()
        high, low = torch.tensor(sigma), torch.tensor(after)
        noise: torch.Tensor = -self._path(low, high) / (high - low).sqrt()
        return noise[None].to(self._like.device)

    def _new_path(self) -> Any:
        import torchsde  # noqa: PLC0415  # rarely wanted

        low, high = (torch.tensor(end) for end in self._span)
        origin = torch.zeros(self._like.shape[1:])
        return torchsde.BrownianTree(low, origin, high, entropy=self._seed % 2**63)


def generator(seed: int) -> torch.Generator:
    """Make the generator of a seed of up to 64 bits, negative ones included."""
    # It reads the lowest 32 bits alone: 2**32 would draw what 0 draws.
    if not -_SEEDS <= seed < _SEEDS:
        seed = int.from_bytes(hashlib.sha256(str(seed).encode()).digest()[:4])
    return torch.Generator("cpu").manual_seed(seed % _SEEDS)


def _between(low: torch.Tensor, high: torch.Tensor, share: float) -> torch.Tensor:
    """Mix two noises of channels x height x width on the arc between them, column by column."""
    cosine = (low / low.norm(dim=1, keepdim=True) * high / high.norm(dim=1, keepdim=True)).sum(1)
    if cosine.mean() > _PARALLEL:
        return low * share + high * (1 - share)
    angle = torch.acos(cosine.clamp(-1, 1))
    whole = torch.sin(angle)
    first, second = torch.sin((1 - share) * angle) / whole, torch.sin(share * angle) / whole
    return first.unsqueeze(1) * low + second.unsqueeze(1) * high


def _set_in(whole: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
    """Set the middle of a noise into the middle of another one, as much of it as fits."""
    mixed = whole.clone()
    (high, wide), (part_high, part_wide) = whole.shape[1:], part.shape[1:]
    y, x = (high - part_high) // 2, (wide - part_wide) // 2
    top, left, from_y, from_x = max(0, y), max(0, x), max(0, -y), max(0, -x)
    height = part_high + min(0, 2 * y)
    width = part_wide + min(0, 2 * x)
    mixed[:, top : top + height, left : left + width] = part[
        :, from_y : from_y + height, from_x : from_x + width
    ]
    return mixed
