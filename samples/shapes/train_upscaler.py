"""Train a small ESRGAN-style upscaler on drawn pictures, and measure it against Lanczos.

    python -m samples.shapes.train_upscaler --out samples/models/ESRGAN/4x-shapes.safetensors

Half of what it learns from went through the shapes checkpoint's VAE first, so that it sharpens what
that checkpoint makes and not only clean drawings.
"""

import math
from pathlib import Path
from random import Random
from typing import Annotated

import torch
import typer
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from deployments.runtimes.diffusers.rrdb import Rrdb
from samples.shapes.autoencoder import as_signal
from samples.shapes.caption import imagine
from samples.shapes.evaluate import CHECKPOINT
from samples.shapes.pictures import pictures
from samples.shapes.training import Training, say
from samples.shapes.upscaler import esrgan_name, new_upscaler

SIZE, FACTOR, PATCH, BATCH, RATE = 64, 4, 20, 6, 2e-3


def main(
    *,
    out: Annotated[Path, typer.Option(help="file of the upscaler")],
    checkpoint: Annotated[Path, typer.Option(help="whose VAE to undo")] = CHECKPOINT,
    steps: int = 4000,
    scenes: int = 768,
    threads: int = 1,
    seed: int = 0,
) -> None:
    """Train the upscaler, measure it and save it."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    vae = AutoencoderKL.from_pretrained(str(checkpoint / "vae"), local_files_only=True)
    small, large = _lessons(Random(seed), scenes)
    blurred = through(vae, small)
    say(f"drew {len(small)} pairs of pictures")
    # Twice, for the clean and the blurred ones have the same large pictures.
    upscaler = train(torch.cat([small, blurred]), large.repeat(2, 1, 1, 1), steps)
    _measure(upscaler, vae, Random(seed + 1))
    out.parent.mkdir(parents=True, exist_ok=True)
    weights = {esrgan_name(name): weight.half() for name, weight in upscaler.state_dict().items()}
    save_file(weights, out, {"format": "pt"})
    say(f"saved to {out}")


def train(small: Tensor, large: Tensor, steps: int) -> Rrdb:
    """Train an upscaler on patches of byte pictures and the same four times larger."""
    upscaler = new_upscaler()
    optimizer = torch.optim.AdamW(upscaler.parameters(), RATE, (0.9, 0.99), weight_decay=0)
    cooling = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    training = Training("upscaler", steps, optimizer)
    for _ in range(steps):
        patch, truth = _patches(small, large)
        training.learn(functional.l1_loss(upscaler(patch), truth))
        cooling.step()
    return upscaler.eval()


def through(vae: AutoencoderKL, small: Tensor) -> Tensor:
    """Pass byte pictures through the VAE and back to bytes."""
    again = []
    with torch.no_grad():
        for part in torch.split(small, 16):
            signal = vae.decode(vae.encode(as_signal(part)).latent_dist.mean).sample
            again.append(((signal.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8))
    return torch.cat(again)


def _lessons(rng: Random, count: int) -> tuple[Tensor, Tensor]:
    samples = [imagine(rng) for _ in range(count)]
    return pictures(samples, SIZE), pictures(samples, SIZE * FACTOR)


def _patches(small: Tensor, large: Tensor) -> tuple[Tensor, Tensor]:
    patches, truths = [], []
    for chosen in torch.randint(len(small), (BATCH,)).tolist():
        y, x = _busiest(small[chosen])
        patches.append(small[chosen, :, y : y + PATCH, x : x + PATCH])
        top, left, side = y * FACTOR, x * FACTOR, PATCH * FACTOR
        truths.append(large[chosen, :, top : top + side, left : left + side])
    return torch.stack(patches) / 255, torch.stack(truths) / 255


def _busiest(picture: Tensor, tries: int = 3) -> tuple[int, int]:
    """Choose the place with most to see of a few: flat patches teach little."""
    places = [(y, x) for y, x in torch.randint(SIZE - PATCH + 1, (tries, 2)).tolist()]
    return max(places, key=lambda place: _contrast(picture, *place))


def _contrast(picture: Tensor, y: int, x: int) -> float:
    return picture[:, y : y + PATCH, x : x + PATCH].float().std((1, 2)).sum().item()


def _measure(upscaler: Rrdb, vae: AutoencoderKL, rng: Random) -> None:
    """Tell the PSNR on scenes never trained on, beside that of Lanczos."""
    small, large = _lessons(rng, 64)
    for name, given in (("drawn", small), ("through the VAE", through(vae, small))):
        ours = torch.cat([_enlarged(upscaler, one) for one in torch.split(given, 1)])
        lanczos = torch.stack([_lanczos(one) for one in given])
        say(f"{name}: upscaler {psnr(ours, large):.2f} dB, Lanczos {psnr(lanczos, large):.2f} dB")


@torch.no_grad()
def _enlarged(upscaler: Rrdb, picture: Tensor) -> Tensor:
    larger: Tensor = upscaler(picture / 255).clamp(0, 1) * 255
    return larger.round().to(torch.uint8)


def _lanczos(picture: Tensor) -> Tensor:
    side = SIZE * FACTOR
    image = Image.fromarray(picture.permute(1, 2, 0).numpy())
    enlarged = image.resize((side, side), Image.Resampling.LANCZOS)
    return (
        torch.frombuffer(bytearray(enlarged.tobytes()), dtype=torch.uint8)
        .reshape(side, side, 3)
        .permute(2, 0, 1)
    )


def psnr(these: Tensor, those: Tensor) -> float:
    """Tell how close byte pictures are, in dB."""
    error = functional.mse_loss(these.float(), those.float()).item()
    return 10 * math.log10(255**2 / error)


if __name__ == "__main__":
    typer.run(main)
