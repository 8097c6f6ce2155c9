"""Checkpoint in memory: its networks, and the facts of them that others need."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from deployments.device_fault import fault_behind
from deployments.runtimes.diffusers import families
from deployments.runtimes.diffusers.families.refusals import refuse_channels
from deployments.runtimes.diffusers.faults import described
from deployments.runtimes.diffusers.noise_schedule import noise_schedule
from models.errors import TaskFailed

_LATENT_CHANNELS = 4


@dataclass(frozen=True, eq=False)
class Pipeline:
    """Networks of one checkpoint on one device."""

    name: str
    parts: Any
    """The diffusers pipeline: it holds the networks."""
    device: torch.device

    @property
    def unet(self) -> Any:
        return self.parts.unet

    @property
    def vae(self) -> Any:
        return self.parts.vae

    @property
    def is_sdxl(self) -> bool:
        """Tell whether it is of the SDXL family: two text encoders, and sizes as a condition."""
        return hasattr(self.parts, "text_encoder_2")

    @property
    def encoders(self) -> list[tuple[Any, Any]]:
        """Pairs of a tokenizer and its text encoder."""
        first = [(self.parts.tokenizer, self.parts.text_encoder)]
        second = [(self.parts.tokenizer_2, self.parts.text_encoder_2)] if self.is_sdxl else []
        return [
            (tokenizer, encoder) for tokenizer, encoder in first + second if encoder is not None
        ]

    @property
    def factor(self) -> int:
        """Pixels of a latent's side."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))  # each block but one halves

    @property
    def native_side(self) -> int:
        """Side in pixels of the pictures that the checkpoint was made for."""
        return int(self.unet.config.sample_size) * self.factor

    @property
    def schedule(self) -> Mapping[str, Any]:
        """Configuration of the checkpoint's own noise schedule."""
        return noise_schedule(self.parts.scheduler.config)


def open_pipeline(path: Path, name: str, device: torch.device) -> Pipeline:
    """Load a folder of diffusers' layout or a single file; takes seconds.

    Raises:
        TaskFailed: it is none, is not whole, or of a family that this runtime does not know.
    """
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    try:
        parts = families.load(path, dtype)
        _refuse_other_architectures(parts, name)
        parts.to(device)
    except TaskFailed:
        raise
    except Exception as exc:
        # The device's fault says nothing of the file.
        if fault_behind(exc):
            raise
        raise TaskFailed(f"checkpoint {name} cannot be loaded: {described(exc)}") from exc
    # Half floats overflow in the VAEs of both families; full ones cost little, once a picture.
    parts.vae.float()
    return Pipeline(name, _frozen(parts), device)


def _frozen(parts: Any) -> Any:
    for part in parts.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval().requires_grad_(requires_grad=False)
    return parts


def _refuse_other_architectures(parts: Any, name: str) -> None:
    config = parts.unet.config
    refuse_channels(name, config.in_channels, _LATENT_CHANNELS)
    if config.get("time_cond_proj_dim") is not None:
        raise TaskFailed(f"checkpoint {name} takes its guidance as a condition, unsupported here")
