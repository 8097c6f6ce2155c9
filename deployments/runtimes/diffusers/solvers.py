"""Solvers: the ways from noise to a picture, over falling sigmas.

Each is a generator, which yields latents with their sigma, is sent the picture that the UNet sees
in them, and returns the latents that it ends with. Latents are a picture plus sigma times noise.
"""

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.polynomial import Polynomial

from deployments.runtimes.diffusers.noise_levels import NoiseLevels
from models.runtimes.diffusers.step_noise import StepNoise

Latents = torch.Tensor
Walk = Generator[tuple[Latents, float], Latents, Latents]

_MOST_CHURN = math.sqrt(2) - 1
_HISTORY = 4
"""Slopes that LMS and PLMS look back at."""
_UNI_PC_ORDER = 3
_FURTHER = 0.3
"""Share of the timesteps by which TCD goes further than it must, and comes back by noise."""
_DEIS_ENDS = (0.002, 80.0)
"""Sigmas between which the time of DEIS is that of a variance-preserving path, from 0.001 to 1."""
_DEIS_FIRST = 0.001
_DEIS_POINTS = 1001
# Of Adams and Bashforth, by the number of slopes, the newest one first.
_ADAMS = ((), (1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12))
_ADAMS_LAST = (55 / 24, -59 / 24, 37 / 24, -9 / 24)


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


def euler(x: Latents, course: Course) -> Walk:
    for sigma, after in course.steps:
        x, higher = _churned(x, sigma, course)
        seen = yield x, higher
        x = _moved(x, seen, higher, after)
    return x


def ancestral(x: Latents, course: Course) -> Walk:
    """Go too far down with each step, and come back by noise: Euler a, DDPM, and DDIM."""
    for sigma, after in course.steps:
        seen = yield x, sigma
        down, up = _split(sigma, after, course.noise.eta)
        x = _moved(x, seen, sigma, down)
        if after > 0:
            x = x + course.drawn() * up
    return x


def heun(x: Latents, course: Course) -> Walk:
    for sigma, after in course.steps:
        x, higher = _churned(x, sigma, course)
        seen = yield x, higher
        there = _moved(x, seen, higher, after)
        if after == 0:
            return there
        seen_there = yield there, after
        slope = ((x - seen) / higher + (there - seen_there) / after) / 2
        x = x + slope * (after - higher)
    return x


def dpm2(x: Latents, course: Course) -> Walk:
    for sigma, after in course.steps:
        x, higher = _churned(x, sigma, course)
        seen = yield x, higher
        if after == 0:
            return _moved(x, seen, higher, after)
        middle = math.sqrt(higher * after)
        there = _moved(x, seen, higher, middle)
        seen_there = yield there, middle
        x = x + (there - seen_there) / middle * (after - higher)
    return x


def dpm2_ancestral(x: Latents, course: Course) -> Walk:
    for sigma, after in course.steps:
        seen = yield x, sigma
        down, up = _split(sigma, after, course.noise.eta)
        if down == 0:
            x = _moved(x, seen, sigma, down)
            continue
        middle = math.sqrt(sigma * down)
        there = _moved(x, seen, sigma, middle)
        seen_there = yield there, middle
        x = x + (there - seen_there) / middle * (down - sigma)
        x = x + course.drawn() * (course.noise.factor * up)
    return x


def lms(x: Latents, course: Course) -> Walk:
    """Integrate the polynomial through the last slopes."""
    slopes: list[Latents] = []
    for index, (sigma, after) in enumerate(course.steps):
        seen = yield x, sigma
        slopes = [(x - seen) / sigma, *slopes[: _HISTORY - 1]]
        known = [course.sigmas[index - back] for back in range(len(slopes))]
        for slope, weight in zip(slopes, _integrals(known, sigma, after), strict=True):
            x = x + weight * slope
    return x


def plms(x: Latents, course: Course) -> Walk:
    slopes: list[Latents] = []
    for sigma, after in course.steps:
        seen = yield x, sigma
        slope = (x - seen) / sigma
        if slopes:
            weights = _ADAMS[len(slopes) + 1] if len(slopes) < _HISTORY - 1 else _ADAMS_LAST
            known = zip(weights, [slope, *slopes], strict=True)
            best = sum((weight * each for weight, each in known), torch.zeros_like(slope))
        else:
            there = x + slope * (after - sigma)
            seen_there = yield there, after
            best = (slope + (there - seen_there) / after) / 2
        slopes = [slope, *slopes[: _HISTORY - 2]]
        x = x + best * (after - sigma)
    return x


def dpmpp_2m(x: Latents, course: Course) -> Walk:
    before: tuple[Latents, float] | None = None
    for sigma, after in course.steps:
        seen = yield x, sigma
        expected = seen
        if before is not None and after > 0:
            ratio = math.log(before[1] / sigma) / math.log(sigma / after)
            expected = seen + (seen - before[0]) / (2 * ratio)
        x = _moved(x, expected, sigma, after)
        before = seen, sigma
    return x


def dpmpp_sde(x: Latents, course: Course) -> Walk:
    for sigma, after in course.steps:
        seen = yield x, sigma
        if after == 0:
            return _moved(x, seen, sigma, after)
        middle = math.sqrt(sigma * after)
        there = _noisier(x, seen, (sigma, middle), course)
        seen_there = yield there, middle
        x = _noisier(x, seen_there, (sigma, after), course)
    return x


def dpmpp_2m_sde(x: Latents, course: Course, *, by_heun: bool = False) -> Walk:
    eta = course.noise.eta
    before: tuple[Latents, float] | None = None
    for sigma, after in course.steps:
        seen = yield x, sigma
        if after == 0:
            return seen
        step = math.log(sigma / after)
        whole = step * (1 + eta)
        gain = -math.expm1(-whole)
        x = math.exp(-whole) * x + gain * seen
        if before is not None:
            weight = 1 - gain / whole if by_heun else gain / 2
            x = x + weight * step / before[1] * (seen - before[0])
        if eta:
            x = x + course.between(sigma, after) * _spread(after, step, course.noise)
        before = seen, step
    return x


def dpmpp_2m_sde_heun(x: Latents, course: Course) -> Walk:
    return dpmpp_2m_sde(x, course, by_heun=True)


def dpmpp_3m_sde(x: Latents, course: Course) -> Walk:
    eta = course.noise.eta
    before: list[tuple[Latents, float]] = []
    for sigma, after in course.steps:
        seen = yield x, sigma
        if after == 0:
            return seen
        step = math.log(sigma / after)
        whole = step * (1 + eta)
        x = math.exp(-whole) * x - math.expm1(-whole) * seen
        second = 1 + math.expm1(-whole) / whole
        if before:
            slope, bend = _bent(seen, step, before)
            x = x + second * slope
            if bend is not None:
                x = x - (second / whole - 0.5) * bend
        if eta:
            x = x + course.between(sigma, after) * _spread(after, step, course.noise)
        before = [(seen, step), *before[:1]]
    return x


def deis(x: Latents, course: Course) -> Walk:
    """Integrate the polynomial through the last slopes, in a time in which they bend little."""
    slopes: list[Latents] = []
    for index, (sigma, after) in enumerate(course.steps):
        seen = yield x, sigma
        slopes = [(x - seen) / sigma, *slopes[:2]]
        if after == 0 or len(slopes) == 1:
            x = _moved(x, seen, sigma, after)
            continue
        known = [course.sigmas[index - back] for back in range(len(slopes))]
        for slope, weight in zip(slopes, _timed_integrals(known, sigma, after), strict=True):
            x = x + weight * slope
    return x


def lcm(x: Latents, course: Course) -> Walk:
    for sigma, after in course.steps:
        x = yield x, sigma
        if after > 0:
            x = x + after * course.drawn()
    return x


def tcd(x: Latents, course: Course) -> Walk:
    for sigma, after in course.steps:
        seen = yield x, sigma
        if after == 0:
            return seen
        timestep = int((1 - _FURTHER) * course.levels.timestep(torch.tensor(after)))
        further = course.levels.sigmas[timestep].item()
        x = _moved(x, seen, sigma, further)
        x = x + course.drawn() * math.sqrt(after**2 - further**2)
    return x


def uni_pc(x: Latents, course: Course) -> Walk:
    """Predict each next step by the last ones, and correct it by what is seen there."""
    seen: list[tuple[Latents, float]] = [((yield x, course.sigmas[0]), course.sigmas[0])]
    count = len(course.sigmas) - 1
    for index in range(1, count + 1):
        sigma, after = course.sigmas[index - 1], course.sigmas[index]
        order = min(_UNI_PC_ORDER, index, count + 1 - index)
        step = _UniStep(seen[:order], sigma, after)
        there = step.plain(x) + step.predicted()
        if index < count:
            now = yield there, after
            there = step.plain(x) + step.corrected(now)
            seen = [(now, after), *seen[: _UNI_PC_ORDER - 1]]
        x = there
    return x


@dataclass(frozen=True, eq=False)
class _UniStep:
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
        return _moved(x, self.seen[0][0], self.sigma, self.after)

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


def _moved(x: Latents, seen: Latents, sigma: float, to: float) -> Latents:
    """Go straight towards the picture that is seen, down to another sigma."""
    return seen + (x - seen) * (to / sigma)


def _churned(x: Latents, sigma: float, course: Course) -> tuple[Latents, float]:
    """Add noise before a step; return the latents, and their sigma."""
    noise = course.noise
    if not noise.churn:
        return x, sigma
    drawn = course.drawn()  # also where it is not added: the next ones must not change
    if not noise.least <= sigma <= (noise.most or math.inf):
        return x, sigma
    higher = sigma * (1 + min(noise.churn / len(course.steps), _MOST_CHURN))
    return x + drawn * (noise.factor * math.sqrt(higher**2 - sigma**2)), higher


def _split(sigma: float, after: float, eta: float) -> tuple[float, float]:
    """Split a step into the sigma to go down to and that of the noise to come back by."""
    up = min(after, eta * math.sqrt(after**2 * (sigma**2 - after**2) / sigma**2))
    return math.sqrt(after**2 - up**2), up


def _noisier(x: Latents, seen: Latents, step: tuple[float, float], course: Course) -> Latents:
    down, up = _split(*step, course.noise.eta)
    x = _moved(x, seen, step[0], down)
    return x + course.between(*step) * (course.noise.factor * up) if up else x


def _spread(after: float, step: float, noise: StepNoise) -> float:
    return after * math.sqrt(-math.expm1(-2 * noise.eta * step)) * noise.factor


def _bent(
    seen: Latents, step: float, before: Sequence[tuple[Latents, float]]
) -> tuple[Latents, Latents | None]:
    """Return the slope and the bend of what is seen, a step long; the bend by three pictures."""
    first = before[0][1] / step
    slope = (seen - before[0][0]) / first
    if len(before) == 1:
        return slope, None
    second = before[1][1] / step
    bend = (slope - (before[0][0] - before[1][0]) / second) / (first + second)
    return slope + bend * first, bend


def _integrals(known: Sequence[float], start: float, end: float) -> list[float]:
    """Integrate, from start to end, the polynomials that are 1 at one known place, 0 at others."""
    found = []
    for place in known:
        others = [other for other in known if other != place]
        scale = math.prod(place - other for other in others)
        antiderivative = (Polynomial.fromroots(others) if others else Polynomial([1.0])).integ()
        found.append(float((antiderivative(end) - antiderivative(start)) / scale))
    return found


def _timed_integrals(known: Sequence[float], start: float, end: float) -> list[float]:
    """Integrate the same over sigma, of polynomials in the time of DEIS."""
    times = np.linspace(_deis_time(start), _deis_time(end), _DEIS_POINTS)
    low, high = (math.log(sigma**2 + 1) for sigma in _DEIS_ENDS)
    growth = 2 * (low / _DEIS_FIRST - high) / (_DEIS_FIRST - 1)
    sigmas = np.sqrt(np.expm1(growth * times**2 / 2 + (high - growth / 2) * times))
    places = [_deis_time(sigma) for sigma in known]
    found = []
    for place in places:
        others = [other for other in places if other != place]
        scale = math.prod(place - other for other in others)
        values = np.prod([times - other for other in others], axis=0) / scale
        found.append(float(np.trapezoid(values, sigmas)))
    return found


def _deis_time(sigma: float) -> float:
    low, high = (math.log(end**2 + 1) for end in _DEIS_ENDS)
    growth = 2 * (low / _DEIS_FIRST - high) / (_DEIS_FIRST - 1)
    first = high - growth / 2
    return (math.sqrt(first**2 + 2 * growth * math.log(sigma**2 + 1)) - first) / growth
