"""Noise schedule of a checkpoint, by the configuration of its scheduler."""

import math
from collections.abc import Mapping
from typing import Any

import torch

from models.errors import TaskFailed

_ZERO_SNR = "rescale_betas_zero_snr"
_LAST = 2.0**-24
"""Share of the picture at the last timestep: as good as none, yet its noise is a finite number."""


def noise_schedule(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scheduler's configuration with its zero terminal SNR, if any, as betas.

    Half of diffusers' schedulers know no ``rescale_betas_zero_snr``, and would drop it in silence.
    """
    return zero_terminal_snr(config) if config.get(_ZERO_SNR) else dict(config)


def zero_terminal_snr(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with its betas scaled so that the last timestep is noise alone."""
    signal = torch.cumprod(1 - betas(config), 0).sqrt()
    # Shifted to end at nothing and stretched to begin as before (Lin et al., 2023, algorithm 1).
    signal = (signal - signal[-1]) * signal[0] / (signal[0] - signal[-1])
    shares = signal**2
    shares[-1] = _LAST
    kept = shares / torch.cat([torch.ones(1, dtype=shares.dtype), shares[:-1]])
    return dict(config) | {"trained_betas": (1 - kept).tolist(), _ZERO_SNR: False}


def betas(config: Mapping[str, Any]) -> torch.Tensor:
    """Return a configuration's betas, float64.

    Raises:
        TaskFailed: its schedule is of no known sort.
    """
    if (trained := config.get("trained_betas")) is not None:
        return torch.tensor(trained, dtype=torch.float64)
    ends, count = (
        (config["beta_start"], config["beta_end"]),
        config.get("num_train_timesteps", 1000),
    )
    match config["beta_schedule"]:
        case "linear":
            return torch.linspace(*ends, count, dtype=torch.float64)
        case "scaled_linear":
            return torch.linspace(ends[0] ** 0.5, ends[1] ** 0.5, count, dtype=torch.float64) ** 2
        case "squaredcos_cap_v2":
            places = torch.linspace(0, 1, count + 1, dtype=torch.float64)
            shares = torch.cos((places + 0.008) / 1.008 * math.pi / 2) ** 2
            return (1 - shares[1:] / shares[:-1]).clamp(max=0.999)
        case other:
            raise TaskFailed(f"the checkpoint's noise schedule {other!r} is not known here")
