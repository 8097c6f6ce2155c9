"""Marks that a checkpoint's file has in its names, which say how it was trained."""

from collections.abc import Collection, Mapping
from typing import Any

from deployments.runtimes.diffusers.noise_schedule import zero_terminal_snr
from models.errors import TaskFailed

_V_PREDICTION, _ZERO_SNR = "v_pred", "ztsnr"
_EDM = "edm_"

MARKS = frozenset({_V_PREDICTION, _ZERO_SNR})
"""Names of tensors that stand for nothing but their being there."""


def marked(schedule: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return a family's noise schedule as the marks in a file's names change it.

    Raises:
        TaskFailed: it was trained with EDM's noise, which no sampler here knows.
    """
    if edm := next((name for name in names if name.startswith(_EDM)), None):
        raise TaskFailed(f"it was trained with EDM's noise ({edm}), which is unsupported here")
    changed = dict(schedule)
    if _V_PREDICTION in names:
        changed["prediction_type"] = "v_prediction"
    if _ZERO_SNR in names:
        # From the last timestep on: it alone is noise without a picture in it.
        changed = zero_terminal_snr(changed) | {"timestep_spacing": "trailing"}
    return changed
