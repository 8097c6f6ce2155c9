"""Train the shapes checkpoint, from nothing to a Stable Diffusion folder that diffusers loads.

    python -m samples.shapes.train --out samples/models/Stable-diffusion/shapes

One core takes about an hour for it.
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Annotated

import torch
import typer
from diffusers import AutoencoderKL, StableDiffusionPipeline
from transformers import CLIPTokenizer

from samples.shapes import denoiser
from samples.shapes.autoencoder import Schedule, encode, fidelity, train_autoencoder
from samples.shapes.caption import Sample, imagine
from samples.shapes.denoiser import Denoiser, Lesson, new_scheduler, tokenize, train_denoiser
from samples.shapes.pictures import pictures
from samples.shapes.tokenizer import make_tokenizer
from samples.shapes.training import say

SIZE = 64
LARGE = 128
VAE_STEPS = 2600
UNET_STEPS = 5000
TOKENIZER_FILES = ("vocab.json", "merges.txt", "tokenizer_config.json")


def main(
    *,
    out: Annotated[Path, typer.Option(help="folder of the checkpoint")],
    vae_steps: int = VAE_STEPS,
    unet_steps: int = UNET_STEPS,
    scenes: Annotated[int, typer.Option(help="pictures to learn from")] = 40_000,
    vae: Annotated[
        Path | None, typer.Option(help="use this VAE; saved here first if missing")
    ] = None,
    compile_: Annotated[
        bool, typer.Option("--compile", help="faster; needs a C++ compiler")
    ] = False,
    threads: int = 1,
    seed: int = 0,
) -> None:
    """Train the shapes checkpoint, and save it."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    rng = Random(seed)
    samples = [imagine(rng) for _ in range(scenes)]
    autoencoder = _autoencoder(samples, vae, vae_steps)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = make_tokenizer(Path(scratch))
        schedule = denoiser.Schedule(unet_steps, compiled=compile_)
        learned = _learn(tokenizer, autoencoder, samples, schedule)
        save(assemble(tokenizer, autoencoder, learned), Path(scratch), out)
    say(f"saved to {out}")


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


def _autoencoder(samples: Sequence[Sample], kept: Path | None, steps: int) -> AutoencoderKL:
    """Load the VAE that is kept in a folder, or train one and keep it there."""
    if kept and kept.exists():
        return AutoencoderKL.from_pretrained(kept, local_files_only=True).eval()
    small, large = pictures(samples[:8192], SIZE), pictures(samples[:2048], LARGE)
    say(f"drew {len(small)} pictures of {SIZE} and {len(large)} of {LARGE}")
    vae = train_autoencoder(small, large, Schedule(steps))
    say(
        f"vae keeps {fidelity(vae, small[:64]):.2f} dB at {SIZE}, "
        f"{fidelity(vae, large[:32]):.2f} dB at {LARGE}"
    )
    if kept:
        vae.save_pretrained(kept)
    return vae


def _learn(
    tokenizer: CLIPTokenizer,
    vae: AutoencoderKL,
    samples: Sequence[Sample],
    schedule: denoiser.Schedule,
) -> Denoiser:
    # In parts: 40,000 pictures at once would be half a gigabyte.
    latents = [
        encode(vae, pictures(samples[start : start + 1024], SIZE))
        for start in range(0, len(samples), 1024)
    ]
    tokens = tokenize(tokenizer, (sample.caption for sample in samples))
    lesson = Lesson(torch.cat(latents), tokens, tokenize(tokenizer, [""]))
    say(f"encoded {len(tokens)} pictures; {len(tokenizer)} tokens in the vocabulary")
    return train_denoiser(tokenizer, new_scheduler(), lesson, schedule)


if __name__ == "__main__":
    typer.run(main)
