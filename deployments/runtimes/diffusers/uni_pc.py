"""UniPC: each next step is predicted by the last ones, and corrected by what is seen there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from deployments.runtimes.diffusers.course import Course, Latents, Walk, moved

_ORDER = 3


def uni_pc(x: Latents, course: Course) -> Walk:
    """Predict each next step by the last ones, and correct it by what is seen there."""
    seen: list[tuple[Latents, float]] = [((yield x, course.sigmas[0]), course.sigmas[0])]
    count = len(course.sigmas) - 1
    for index in range(1, count + 1):
        sigma, after = course.sigmas[index - 1], course.sigmas[index]
        order = min(_ORDER, index, count + 1 - index)
        step = Step(seen[:order], sigma, after)
        there = step.plain(x) + step.predicted()
        if index < count:
            now = yield there, after
            there = step.plain(x) + step.corrected(now)
            seen = [(now, after), *seen[: _ORDER - 1]]
        x = there
    return x


@dataclass(frozen=True, eq=False)
class Step:
    """Step of UniPC, of Zhao et al. (2023), with the function B(h) = h."""

    seen: Sequence[tuple[Latents, float]]
    """Pictures seen before, with their sigmas; the newest one first."""
    sigma: float
    after: float

    @property
    def size(self) -> float:
        """Logarithm of the ratio of the sigmas, below zero."""
        return math.log(self.after / self.sigma)

    @property
    def ratios(self) -> list[float]:
        """Distances of the pictures before the newest one, in steps."""
        return [math.log(self.sigma / sigma) / -self.size for _, sigma in self.seen[1:]]

    @property
    def slopes(self) -> list[Latents]:
        newest = self.seen[0][0]
        return [
            (picture - newest) / ratio
            for (picture, _), ratio in zip(self.seen[1:], self.ratios, strict=True)
        ]

    def plain(self, x: Latents) -> Latents:
        return moved(x, self.seen[0][0], self.sigma, self.after)

    def predicted(self) -> Latents:
        if not self.slopes:
            return torch.zeros_like(self.seen[0][0])
        # With one slope the paper takes a half, which is as exact.
        one = len(self.slopes) == 1
        weights = [0.5] if one else self._weights(self.ratios)
        return self._sum(weights, self.slopes)

    def corrected(self, now: Latents) -> Latents:
        slopes = [*self.slopes, now - self.seen[0][0]]
        weights = self._weights([*self.ratios, 1.0]) if len(slopes) > 1 else [0.5]
        return self._sum(weights, slopes)

    def _sum(self, weights: Sequence[float], slopes: Sequence[Latents]) -> Latents:
        parts = (weight * slope for weight, slope in zip(weights, slopes, strict=True))
        return -self.size * sum(parts, torch.zeros_like(slopes[0]))

    def _weights(self, ratios: Sequence[float]) -> list[float]:
        """Solve for the weights by which the powers of the ratios are integrated exactly."""
        size = self.size
        value, wanted = math.expm1(size) / size - 1, []
        factorial = 1
        for power in range(1, len(ratios) + 1):
            wanted.append(value * factorial / size)
            factorial *= power + 1
            value = value / size - 1 / factorial
        powers = np.vander(np.array(ratios), increasing=True).T
        found: list[float] = np.linalg.solve(powers, np.array(wanted)).tolist()
        return found
