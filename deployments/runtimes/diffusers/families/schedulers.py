"""Scheduler of a checkpoint's folder: its noise schedule alone counts, and must be a known one."""

import inspect
from collections.abc import Mapping
from typing import Any

from deployments.runtimes.diffusers.noise_levels import NoiseLevels
from deployments.runtimes.diffusers.noise_schedule import noise_schedule

_PREDICTIONS = ("epsilon", "v_prediction", "sample")


def class_fault(name: object) -> str | None:
    """Say why checkpoints of a scheduler's class are not painted; None if they are.

    Flow matching and EDM's noise have no betas, and would be painted as if they had the usual ones.
    """
    import diffusers  # noqa: PLC0415  # seconds, and only now offline

    kind = getattr(diffusers, name, None) if isinstance(name, str) else None
    if not inspect.isclass(kind) or not issubclass(kind, diffusers.SchedulerMixin):
        return f"{name!r} is no scheduler that is known here"
    if "beta_start" not in inspect.signature(kind.__init__).parameters:
        return f"{name} is of a family that is not painted here (such as flow matching)"
    return None


def schedule_fault(config: Mapping[str, Any]) -> str | None:
    """Say why nothing can be painted by a scheduler's configuration; None if it can."""
    if config.get("use_flow_sigmas"):
        return "use_flow_sigmas is of a family that is not painted here (flow matching)"
    if (prediction := config.get("prediction_type")) not in _PREDICTIONS:
        return f"prediction_type {prediction!r} is none of {', '.join(_PREDICTIONS)}"
    sigmas = NoiseLevels.of(noise_schedule(config)).sigmas
    if not sigmas.isfinite().all() or not (sigmas.diff() > 0).any() or (sigmas.diff() <= 0).any():
        return "its noise does not rise from one timestep to the next"
    return None
