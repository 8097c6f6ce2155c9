"""Euler a with noise of any strength: diffusers' own adds all of it."""

from typing import Any

from diffusers import EulerAncestralDiscreteScheduler
from diffusers.utils.torch_utils import randn_tensor


class EulerAncestral(EulerAncestralDiscreteScheduler):  # type: ignore[misc]  # untyped library
    """Scheduler of Euler a."""

    def step(
        self,
        model_output: Any,
        timestep: Any,
        sample: Any,
        generator: Any = None,
        return_dict: bool = True,
        *,
        eta: float = 1.0,
    ) -> Any:
        """Take a step; ``eta`` is the share of the noise that is added, 0 to 1."""
        if eta == 1:
            return super().step(model_output, timestep, sample, generator, return_dict)
        before = generator.get_state()
        output = super().step(model_output, timestep, sample, generator)
        index = self.step_index - 1
        sigma, following = self.sigmas[index], self.sigmas[index + 1]
        spread = (following**2 * (sigma**2 - following**2) / sigma**2) ** 0.5
        added = min(following, eta * spread)
        kept = (following**2 - added**2) ** 0.5
        slope = (sample - output.pred_original_sample) / sigma
        # The same noise as the step itself drew.
        generator.set_state(before)
        noise = randn_tensor(sample.shape, generator, sample.device, sample.dtype)
        output.prev_sample = sample + slope * (kept - sigma) + noise * added
        return output
