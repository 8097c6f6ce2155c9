"""Ask a checkpoint for pictures it was never shown, and have the judge count what came right.

    python -m samples.shapes.evaluate --sheet /tmp/shapes.png

Prompts are the triples of colour, shape and background that training left out, in several wordings.
"""

import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from PIL import Image

from samples.shapes.caption import held_out, untold_background
from samples.shapes.draw import COLOURS, SHAPES
from samples.shapes.judge import Seen, judge

CHECKPOINT = Path(__file__).parents[1] / "models" / "Stable-diffusion" / "shapes"
SIZE = 64
BATCH = 8
WORDINGS: Mapping[str, str] = {
    "full": "{a} {colour} {shape} on {a_background} background",
    "short": "{a} {colour} {shape} on {background}",
    "mixed": "{colour} {shape} on {a_background} background",
    "terse": "{colour} {shape} on {background}",
    "listed": "{colour} {shape}, {background} background",
}
BARE = "{colour} {shape}"


@dataclass(frozen=True)
class Wish:
    """A prompt, the seed to draw it with, and what is to be seen then."""

    prompt: str
    seed: int
    expected: Seen


@dataclass(frozen=True)
class Verdict:
    """A wish, the picture it gave and what the judge saw in it."""

    wish: Wish
    image: Image.Image
    seen: Seen

    @property
    def right(self) -> tuple[bool, bool, bool, bool]:
        """Tell whether background, colour, shape and all three are right."""
        seen, expected = self.seen, self.wish.expected
        return (
            seen.background == expected.background,
            seen.colour == expected.colour,
            seen.shape == expected.shape,
            seen == expected,
        )


def main(
    *,
    checkpoint: Path = CHECKPOINT,
    steps: int = 12,
    guidance: float = 4.0,
    seeds: int = 2,
    sheet: Annotated[Path | None, typer.Option(help="write a contact sheet here")] = None,
    shown: Annotated[int, typer.Option(help="pictures of a wording on the sheet")] = 24,
    threads: int = 1,
) -> None:
    """Evaluate a checkpoint: print the table and write the contact sheet."""
    torch.set_num_threads(threads)
    pipeline = load(checkpoint)
    print_row("wording", ["pictures", "background", "colour", "shape", "all", "s/picture"])
    on_sheet: list[Verdict] = []
    for wording, group in wishes(seeds).items():
        start = time.monotonic()
        verdicts = grant(pipeline, group, steps, guidance)
        _print_verdicts(wording, verdicts, time.monotonic() - start)
        on_sheet += verdicts[:: max(1, len(verdicts) // shown)][:shown]
    if sheet:
        contact_sheet([verdict.image for verdict in on_sheet]).save(sheet)


def load(checkpoint: Path = CHECKPOINT) -> StableDiffusionPipeline:
    """Load a checkpoint with the sampler the figures are given for: DPM++ 2M Karras."""
    pipeline = StableDiffusionPipeline.from_pretrained(
        str(checkpoint), local_files_only=True, dtype=torch.float32
    )
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(
        pipeline.scheduler.config, use_karras_sigmas=True
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def wishes(seeds: int = 2) -> dict[str, list[Wish]]:
    """List the wishes of each wording: the full one with as many seeds as told, others with one."""
    triples = list(unseen())
    groups = {
        wording: [
            wish(form, triple, seed)
            for seed in range(first, first + (seeds if wording == "full" else 1))
            for triple in triples
        ]
        # Seeds ten apart: no two of these wordings begin with the same noise.
        for first, (wording, form) in zip(range(0, 100, 10), WORDINGS.items(), strict=False)
    }
    pairs = [(colour, shape) for shape in SHAPES for colour in COLOURS]
    bare = [(colour, shape, untold_background(colour)) for colour, shape in pairs]
    return groups | {"bare": [wish(BARE, triple, 0) for triple in bare]}


def unseen() -> Iterator[tuple[str, str, str]]:
    """Walk through the triples of colour, shape and background that training left out."""
    for colour in COLOURS:
        for background in COLOURS:
            for shape in SHAPES:
                if colour != background and held_out(colour, shape, background):
                    yield colour, shape, background


def wish(form: str, triple: tuple[str, str, str], seed: int) -> Wish:
    """Word a wish for a triple of colour, shape and background."""
    colour, shape, background = triple
    prompt = form.format(
        a="an" if colour == "orange" else "a",
        a_background=f"an {background}" if background == "orange" else f"a {background}",
        colour=colour,
        shape=shape,
        background=background,
    )
    return Wish(prompt, seed, Seen(background, colour, shape))


def grant(
    pipeline: StableDiffusionPipeline,
    group: Sequence[Wish],
    steps: int = 12,
    guidance: float = 4.0,
) -> list[Verdict]:
    """Draw every wish and judge the pictures."""
    images: list[Image.Image] = []
    for start in range(0, len(group), BATCH):
        batch = group[start : start + BATCH]
        images += pipeline(
            [wish.prompt for wish in batch],
            width=SIZE,
            height=SIZE,
            num_inference_steps=steps,
            guidance_scale=guidance,
            # A generator for each picture: with one for all, a picture would change with its batch.
            generator=[torch.Generator().manual_seed(wish.seed) for wish in batch],
        ).images
    return [Verdict(wish, image, judge(image)) for wish, image in zip(group, images, strict=True)]


def contact_sheet(images: Sequence[Image.Image], columns: int = 12, gap: int = 4) -> Image.Image:
    """Lay pictures out in rows."""
    pitch = SIZE + gap
    size = (columns * pitch + gap, math.ceil(len(images) / columns) * pitch + gap)
    sheet = Image.new("RGB", size, "magenta")
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        sheet.paste(image, (gap + column * pitch, gap + row * pitch))
    return sheet


def _print_verdicts(wording: str, verdicts: Sequence[Verdict], seconds: float) -> None:
    right = [
        sum(column) / len(verdicts) for column in zip(*(v.right for v in verdicts), strict=True)
    ]
    pace = f"{seconds / len(verdicts):.3f}"
    print_row(wording, [str(len(verdicts)), *(f"{part:.3f}" for part in right), pace])
    for verdict in verdicts:
        if not verdict.right[-1]:
            asked = verdict.wish
            sys.stdout.write(f"    {asked.prompt!r} seed {asked.seed}: {verdict.seen}\n")


def print_row(name: str, cells: Sequence[str]) -> None:
    """Print one row of the table."""
    sys.stdout.write(f"{name:<10}" + "".join(f"{cell:>12}" for cell in cells) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    typer.run(main)
