"""Course of a solver: the sigmas that it goes over, and the noise that it may add."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from deployments.runtimes.diffusers.noise_levels import NoiseLevels
from models.runtimes.diffusers.step_noise import StepNoise

Latents = torch.Tensor
Walk = Generator[tuple[Latents, float], Latents, Latents]
"""Way from noise to a picture: yields latents and their sigma, and is sent what the UNet sees."""


@dataclass(frozen=True, eq=False)
class Course:
    """Sigmas that a solver goes over, and the noise that it may add."""

    sigmas: Sequence[float]
    """Falling; the last one is that of the result."""
    levels: NoiseLevels
    """Noise levels of the whole checkpoint."""
    noise: StepNoise
    drawn: Callable[[], Latents]
    """Draws noise of size 1."""
    between: Callable[[float, float], Latents]
    """Returns noise of size 1 between two sigmas: the same however the steps are cut."""

    @property
    def steps(self) -> list[tuple[float, float]]:
        return list(pairwise(self.sigmas))


def moved(x: Latents, seen: Latents, sigma: float, to: float) -> Latents:
    """Go straight towards the picture that is seen, down to another sigma."""
    return seen + (x - seen) * (to / sigma)
