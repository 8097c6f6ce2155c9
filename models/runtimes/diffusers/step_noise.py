"""Noise that samplers add while they work, and which of them can add it how."""

from collections.abc import Iterator
from dataclasses import dataclass

from models.runtimes.content import Fault
from models.runtimes.diffusers import samplers


@dataclass(frozen=True)
class StepNoise:
    """Noise that a sampler adds, in the Web UI's numbers."""

    eta: float = 1.0
    """Strength of an ancestral sampler's noise: 1 is all of it, 0 none."""
    churn: float = 0.0
    """Noise that Euler adds in all of its steps."""
    least: float = 0.0
    """Sigma from which on it does so."""
    most: float = 0.0
    """Sigma up to which it does so; 0: any."""
    factor: float = 1.0
    """Factor of added noise."""

    def faults(self, sampler: str) -> Iterator[Fault]:
        """Find what a sampler, by its full name, would do otherwise in the Web UI alone."""
        spared = self.eta == 0 and sampler in samplers.WITHOUT_NOISE
        if self.eta != 1 and sampler in samplers.WITH_FIXED_NOISE and not spared:
            able = ", ".join(sorted(samplers.WITH_ETA))
            yield Fault("eta", f"{self.eta} is not supported with {sampler}, but with: {able}")
        if self.churn and sampler in samplers.UNCHURNED:
            remedy = f"{self.churn} is not supported with {sampler}, but with {samplers.CHURNED}"
            yield Fault("s_churn", remedy)
        if self.factor != 1 and sampler in samplers.UNSCALED:
            able = ", ".join(sorted(samplers.WITH_SCALED_NOISE))
            yield Fault(
                "s_noise", f"{self.factor} is not supported with {sampler}; but with {able}"
            )
