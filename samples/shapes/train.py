"""Train the shapes checkpoint, from nothing to a Stable Diffusion folder that diffusers loads.

    python -m samples.shapes.train --out samples/models/Stable-diffusion/shapes

One core takes about an hour for it.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline

from samples.shapes import autoencoder, denoiser
from samples.shapes.autoencoder import encode, fidelity, train_autoencoder
from samples.shapes.caption import Sample, imagine
from samples.shapes.denoiser import Denoiser, Lesson, new_scheduler, tokenize, train_denoiser
from samples.shapes.pictures import pictures
from samples.shapes.progress import say
from samples.shapes.tokenizer import make_tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import CLIPTokenizer

SIZE = 64
LARGE = 128
VAE_STEPS = 2600
UNET_STEPS = 5000
TOKENIZER_FILES = ("vocab.json", "merges.txt", "tokenizer_config.json")


def main() -> None:
    """Train and save, as the command line says."""
    options = _options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    rng = Random(options.seed)
    samples = [imagine(rng) for _ in range(options.scenes)]
    vae = _vae(samples, options)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = make_tokenizer(Path(scratch))
        schedule = denoiser.Schedule(options.unet_steps, compiled=options.compile)
        learned = _learn(tokenizer, vae, samples, schedule)
        save(assemble(tokenizer, vae, learned), Path(scratch), options.out)
    say(f"saved to {options.out}")


def assemble(
    tokenizer: CLIPTokenizer, vae: AutoencoderKL, learned: Denoiser
) -> StableDiffusionPipeline:
    """Put the parts together as a pipeline without safety checker."""
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=learned.text_encoder.eval(),
        tokenizer=tokenizer,
        unet=learned.unet.eval(),
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def save(pipeline: StableDiffusionPipeline, tokenizer_files: Path, out: Path) -> None:
    """Save in half precision, with the tokenizer as the plain files that CLIP has always had."""
    pipeline.to(dtype=torch.float16).save_pretrained(out, safe_serialization=True)
    shutil.rmtree(out / "tokenizer")
    (out / "tokenizer").mkdir()
    for name in TOKENIZER_FILES:
        shutil.copyfile(tokenizer_files / name, out / "tokenizer" / name)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--vae-steps", type=int, default=VAE_STEPS)
    parser.add_argument("--unet-steps", type=int, default=UNET_STEPS)
    parser.add_argument("--scenes", type=int, default=40_000, help="pictures to learn from")
    parser.add_argument("--vae", type=Path, help="use this VAE; saved here first if missing")
    parser.add_argument("--compile", action="store_true", help="faster; needs a C++ compiler")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _vae(samples: Sequence[Sample], options: argparse.Namespace) -> AutoencoderKL:
    if options.vae and options.vae.exists():
        return AutoencoderKL.from_pretrained(options.vae, local_files_only=True).eval()
    small, large = pictures(samples[:8192], SIZE), pictures(samples[:2048], LARGE)
    say(f"drew {len(small)} pictures of {SIZE} and {len(large)} of {LARGE}")
    vae = train_autoencoder(small, large, autoencoder.Schedule(options.vae_steps))
    say(
        f"vae keeps {fidelity(vae, small[:64]):.2f} dB at {SIZE}, "
        f"{fidelity(vae, large[:32]):.2f} dB at {LARGE}"
    )
    if options.vae:
        vae.save_pretrained(options.vae)
    return vae


def _learn(
    tokenizer: CLIPTokenizer,
    vae: AutoencoderKL,
    samples: Sequence[Sample],
    schedule: denoiser.Schedule,
) -> Denoiser:
    latents = [
        encode(vae, pictures(samples[start : start + 1024], SIZE))
        for start in range(0, len(samples), 1024)
    ]
    tokens = tokenize(tokenizer, (sample.caption for sample in samples))
    lesson = Lesson(torch.cat(latents), tokens, tokenize(tokenizer, [""]))
    say(f"encoded {len(tokens)} pictures; {len(tokenizer)} tokens in the vocabulary")
    return train_denoiser(tokenizer, new_scheduler(), lesson, schedule)


if __name__ == "__main__":
    main()
