"""Noise of each timestep that a checkpoint was trained with, and the steps down from it.

Noise is told as sigma, its size beside a picture's of size 1; zero is a picture without any.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from deployments.runtimes.diffusers.noise_schedule import betas

_KARRAS = 7.0  # as in Karras et al. (2022), equation 5
_BETA = 0.6  # both parameters of the distribution, as in Lee et al. (2024)
_DISTILLED = 50
"""Timesteps that LCM and TCD were distilled to."""


@dataclass(frozen=True, eq=False)
class NoiseLevels:
    """Sigmas of timesteps, in between which both are interpolated by the sigmas' logarithms."""

    sigmas: torch.Tensor
    """Rising, float32 on the CPU."""
    timesteps: torch.Tensor
    """Timesteps of the sigmas, float32 on the CPU."""

    @classmethod
    def of(cls, schedule: Mapping[str, Any]) -> "NoiseLevels":
        """Return those of a scheduler's configuration."""
        shares = torch.cumprod(1 - betas(schedule), 0)
        sigmas = ((1 - shares) / shares).sqrt()
        return cls(sigmas.float(), torch.arange(len(sigmas)).float())

    @property
    def distilled(self) -> "NoiseLevels":
        """Return those of the timesteps alone that a distilled checkpoint knows."""
        apart = len(self.sigmas) // _DISTILLED
        return NoiseLevels(
            self.sigmas[apart - 1 :: apart].contiguous(), self.timesteps[apart - 1 :: apart]
        )

    def at(self, places: torch.Tensor) -> torch.Tensor:
        """Return the sigmas at places of the list, which may lie between two of them."""
        lower = places.floor().long().clamp(0, len(self.sigmas) - 2)
        share, logs = places - lower, self.sigmas.log()
        return torch.lerp(logs[lower], logs[lower + 1], share).exp()

    def timestep(self, sigma: torch.Tensor) -> torch.Tensor:
        """Return the timestep of a sigma, which may lie between two."""
        above = torch.searchsorted(self.sigmas, sigma).clamp(1, len(self.sigmas) - 1)
        logs = self.sigmas.log()
        share = (sigma.log() - logs[above - 1]) / (logs[above] - logs[above - 1])
        return torch.lerp(self.timesteps[above - 1], self.timesteps[above], share.clamp(0, 1))


def steps_down(levels: NoiseLevels, schedule: str, steps: int) -> torch.Tensor:
    """Return the sigmas of a noise schedule of the Web UI's, with the zero that it ends with."""
    made = _SCHEDULES.get(schedule, _uniform)(levels, steps)
    return torch.cat([made, made.new_zeros(1)])


def times_down(levels: NoiseLevels, first: int, steps: int) -> list[float]:
    """Return the sigmas of timesteps at the same distances, from one down to the first of all.

    Between timesteps the logarithm of a picture's share is interpolated, as UniPC has it.
    """
    places = torch.linspace(first, 0, steps + 1, dtype=torch.float64)
    shares = -torch.log1p(levels.sigmas.double() ** 2) / 2
    lower = places.floor().long().clamp(0, len(shares) - 2)
    logs = torch.lerp(shares[lower], shares[lower + 1], places - lower)
    found: list[float] = torch.expm1(-2 * logs).sqrt().tolist()
    return found


def _uniform(levels: NoiseLevels, steps: int) -> torch.Tensor:
    return levels.at(torch.linspace(len(levels.sigmas) - 1, 0, steps))


def _trailing(levels: NoiseLevels, steps: int) -> torch.Tensor:
    return levels.at(torch.linspace(len(levels.sigmas) - 1, 0, steps + 1)[:-1])


def _simple(levels: NoiseLevels, steps: int) -> torch.Tensor:
    apart = len(levels.sigmas) / steps
    return levels.sigmas[[-1 - int(step * apart) for step in range(steps)]]


def _karras(levels: NoiseLevels, steps: int) -> torch.Tensor:
    roots = levels.sigmas[[-1, 0]] ** (1 / _KARRAS)
    return torch.lerp(roots[0], roots[1], torch.linspace(0, 1, steps)) ** _KARRAS


def _exponential(levels: NoiseLevels, steps: int) -> torch.Tensor:
    logs = levels.sigmas[[-1, 0]].log()
    return torch.lerp(logs[0], logs[1], torch.linspace(0, 1, steps)).exp()


def _beta(levels: NoiseLevels, steps: int) -> torch.Tensor:
    from scipy.stats import beta  # noqa: PLC0415  # a second, and rarely wanted

    shares = beta.ppf(1 - torch.linspace(0, 1, steps, dtype=torch.float64).numpy(), _BETA, _BETA)
    return torch.lerp(levels.sigmas[0], levels.sigmas[-1], torch.from_numpy(shares).float())


_SCHEDULES: Mapping[str, Callable[[NoiseLevels, int], torch.Tensor]] = {
    "Karras": _karras,
    "Exponential": _exponential,
    "Beta": _beta,
    "Simple": _simple,
    "SGM Uniform": _trailing,
}
"""Schedules by name; all others have timesteps at the same distances, the last one included."""
