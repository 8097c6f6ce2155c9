"""Integrals of the polynomials through the last slopes: the weights of LMS and DEIS."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.polynomial import Polynomial

_DEIS_ENDS = (0.002, 80.0)
"""Sigmas between which the time of DEIS is that of a variance-preserving path, from 0.001 to 1."""
_DEIS_FIRST = 0.001
_DEIS_POINTS = 1001


def integrals(known: Sequence[float], start: float, end: float) -> list[float]:
    """Integrate, from start to end, the polynomials that are 1 at one known place, 0 at others."""
    found = []
    for place in known:
        others = [other for other in known if other != place]
        scale = math.prod(place - other for other in others)
        antiderivative = (Polynomial.fromroots(others) if others else Polynomial([1.0])).integ()
        found.append(float((antiderivative(end) - antiderivative(start)) / scale))
    return found


def timed_integrals(known: Sequence[float], start: float, end: float) -> list[float]:
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
