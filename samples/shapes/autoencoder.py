"""The VAE between pictures and latents a quarter their size, and how it is trained."""

import math
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from samples.shapes.training import Training

LATENT_NOISE = 0.05
"""Noise on the latents in training, as part of their deviation: it makes the decoder forgiving."""


@dataclass(frozen=True)
class Schedule:
    """Schedule of the VAE's training: its steps and learning rates."""

    steps: int
    batch: int = 8
    large_batch: int = 2
    large_every: int = 8
    rate: float = 2e-3


def train_autoencoder(small: Tensor, large: Tensor, schedule: Schedule) -> AutoencoderKL:
    """Train a VAE on byte pictures of two sizes, its latents white so that no scaling is needed."""
    vae = _new_autoencoder()
    optimizer = torch.optim.AdamW(vae.parameters(), schedule.rate, (0.9, 0.99), weight_decay=0)
    training = Training("vae", schedule.steps, optimizer)
    for step in range(schedule.steps):
        _set_rate(optimizer, schedule, step)
        training.learn(_loss(vae, _batch(small, large, schedule, step)))
    vae.eval().requires_grad_(requires_grad=False)
    _whiten(vae, encode(vae, small[:2048]))
    return vae


def encode(vae: AutoencoderKL, pictures: Tensor, batch: int = 16) -> Tensor:
    """Encode byte pictures to the means of their latents."""
    with torch.no_grad():
        means = [_mean(vae, as_signal(part)) for part in torch.split(pictures, batch)]
    return torch.cat(means)


def fidelity(vae: AutoencoderKL, pictures: Tensor) -> float:
    """Tell the PSNR in dB of pictures encoded and decoded."""
    with torch.no_grad():
        signal = as_signal(pictures)
        again = vae.decode(vae.encode(signal).latent_dist.mean).sample.clamp(-1, 1)
    # The signal reaches from -1 to 1: the square of its reach is 4.
    return 10 * math.log10(4 / functional.mse_loss(again, signal).item())


def as_signal(pictures: Tensor) -> Tensor:
    """Turn bytes into the VAE's range of -1 to 1."""
    return pictures.float() / 127.5 - 1


def _new_autoencoder() -> AutoencoderKL:
    """Make a VAE of factor 4: one of factor 8 learned five times slower on these pictures."""
    return AutoencoderKL(
        block_out_channels=(16, 32, 64),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        # Must divide 16, the fewest channels; the usual 32 does not.
        norm_num_groups=4,
        mid_block_add_attention=False,
        latent_channels=4,
        sample_size=64,
        # `_whiten` gives latents a deviation of 1; diffusers' default, 0.18215, would shrink them.
        scaling_factor=1.0,
    )


def _set_rate(optimizer: torch.optim.Optimizer, schedule: Schedule, step: int) -> None:
    warm = min(1.0, (step + 1) / 50)
    cool = max(0.02, 0.5 * (1 + math.cos(math.pi * step / schedule.steps)))
    for group in optimizer.param_groups:
        group["lr"] = schedule.rate * warm * cool


def _batch(small: Tensor, large: Tensor, schedule: Schedule, step: int) -> Tensor:
    if step % schedule.large_every == schedule.large_every - 1:
        chosen = large[torch.randint(len(large), (schedule.large_batch,))]
    else:
        chosen = small[torch.randint(len(small), (schedule.batch,))]
    return as_signal(chosen)


def _loss(vae: AutoencoderKL, signal: Tensor) -> Tensor:
    mean = _mean(vae, signal)
    noise = torch.randn_like(mean) * LATENT_NOISE * mean.detach().std()
    again = vae.decode(mean + noise).sample
    blur = (again - signal).abs().mean() + 2 * functional.mse_loss(again, signal)
    # The last term keeps latents from growing without end, which would drown their noise.
    loss: Tensor = blur + 1e-4 * mean.pow(2).mean()
    return loss


def _mean(vae: AutoencoderKL, signal: Tensor) -> Tensor:
    mean: Tensor = vae.encode(signal).latent_dist.mean
    return mean


@torch.no_grad()
def _whiten(vae: AutoencoderKL, latents: Tensor) -> None:
    """Fold each channel's mean and deviation into the convolutions either side of the latents.

    The posterior's variance goes to near nothing, so that encoding a picture is exact.
    """
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    into, out_of = vae.quant_conv, vae.post_quant_conv
    # The bias first, since it needs the weights as they were before they are scaled.
    out_of.bias += out_of.weight[:, :, 0, 0] @ mean
    out_of.weight *= deviation[None, :, None, None]
    channels = len(mean)
    into.weight[:channels] /= deviation[:, None, None, None]
    into.bias[:channels] = (into.bias[:channels] - mean) / deviation
    # The other half of its outputs are logarithms of variances: e^-10 is as good as none.
    into.weight[channels:] = 0
    into.bias[channels:] = -10
