"""Noise that samplers add while they work."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StepNoise:
    """Noise that a sampler adds, in the Web UI's numbers; it takes those that it knows."""

    eta: float = 1.0
    """Strength of an ancestral or SDE sampler's noise: 1 is all of it, 0 none."""
    churn: float = 0.0
    """Noise that Euler, Heun and DPM2 add in all of their steps."""
    least: float = 0.0
    """Sigma from which on they do so."""
    most: float = 0.0
    """Sigma up to which they do so; 0: any."""
    factor: float = 1.0
    """Factor of added noise, but of that of Euler a and DDIM."""
