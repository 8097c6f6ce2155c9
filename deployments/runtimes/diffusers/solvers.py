"""Solvers: the ways from noise to a picture, over falling sigmas.

Each is a generator, which yields latents with their sigma, is sent the picture that the UNet sees
in them, and returns the latents that it ends with. Latents are a picture plus sigma times noise.
"""

import math
from collections.abc import Sequence

import torch

from deployments.runtimes.diffusers.course import Course, Latents, Walk, moved
from deployments.runtimes.diffusers.slope_integrals import integrals, timed_integrals
from models.runtimes.diffusers.step_noise import StepNoise

_MOST_CHURN = math.sqrt(2) - 1
_HISTORY = 4
"""Slopes that LMS and PLMS look back at."""
_FURTHER = 0.3
"""Share of the timesteps by which TCD goes further than it must, and comes back by noise."""
# Of Adams and Bashforth, by the number of slopes, the newest one first.
_ADAMS = ((), (1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12))
_ADAMS_LAST = (55 / 24, -59 / 24, 37 / 24, -9 / 24)


def euler(x: Latents, course: Course) -> Walk:
    for sigma, after in course.steps:
        x, higher = _churned(x, sigma, course)
        seen = yield x, higher
        x = moved(x, seen, higher, after)
    return x


def ancestral(x: Latents, course: Course) -> Walk:
    """Go too far down with each step, and come back by noise: Euler a, DDPM, and DDIM."""
    for sigma, after in course.steps:
        seen = yield x, sigma
        down, up = _split(sigma, after, course.noise.eta)
        x = moved(x, seen, sigma, down)
        if after > 0:
            x = x + course.drawn() * up
    return x


def heun(x: Latents, course: Course) -> Walk:
    for sigma, after in course.steps:
        x, higher = _churned(x, sigma, course)
        seen = yield x, higher
        there = moved(x, seen, higher, after)
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
            return moved(x, seen, higher, after)
        middle = math.sqrt(higher * after)
        there = moved(x, seen, higher, middle)
        seen_there = yield there, middle
        x = x + (there - seen_there) / middle * (after - higher)
    return x


def dpm2_ancestral(x: Latents, course: Course) -> Walk:
    for sigma, after in course.steps:
        seen = yield x, sigma
        down, up = _split(sigma, after, course.noise.eta)
        if down == 0:
            x = moved(x, seen, sigma, down)
            continue
        middle = math.sqrt(sigma * down)
        there = moved(x, seen, sigma, middle)
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
        for slope, weight in zip(slopes, integrals(known, sigma, after), strict=True):
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
        x = moved(x, expected, sigma, after)
        before = seen, sigma
    return x


def dpmpp_sde(x: Latents, course: Course) -> Walk:
    for sigma, after in course.steps:
        seen = yield x, sigma
        if after == 0:
            return moved(x, seen, sigma, after)
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
            x = moved(x, seen, sigma, after)
            continue
        known = [course.sigmas[index - back] for back in range(len(slopes))]
        for slope, weight in zip(slopes, timed_integrals(known, sigma, after), strict=True):
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
        x = moved(x, seen, sigma, further)
        x = x + course.drawn() * math.sqrt(after**2 - further**2)
    return x


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
    x = moved(x, seen, step[0], down)
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
