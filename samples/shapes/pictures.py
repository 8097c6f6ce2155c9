"""Drawn scenes as torch tensors of bytes, the form in which models are trained on them."""

from collections.abc import Sequence

import numpy as np
import torch

from samples.shapes.caption import Sample
from samples.shapes.draw import render


def pictures(samples: Sequence[Sample], size: int) -> torch.Tensor:
    """Draw samples as one tensor of bytes, (samples, 3, size, size)."""
    drawn = np.stack([render(sample.scene, size) for sample in samples])
    return torch.from_numpy(drawn).permute(0, 3, 1, 2).contiguous()
