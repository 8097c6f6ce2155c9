"""A trained checkpoint that knows coloured shapes: what is asked for is what is seen."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from deployments.adapter import RuntimeSpec
from deployments.runtimes.diffusers import DiffusersAdapter
from models.task import Kind
from samples.shapes.judge import Seen, judge
from tests.runtimes.diffusers.conftest import encoded, mask, run, task

MODELS = Path(__file__).parents[3] / "samples" / "models"
GOOD: dict[str, Any] = {"steps": 12, "cfg_scale": 4, "sampler_name": "DPM++ 2M Karras"}


@pytest.fixture(scope="module")
async def shapes() -> AsyncIterator[DiffusersAdapter]:
    options = {"device": "cpu", "threads": 1}
    made = DiffusersAdapter(
        RuntimeSpec(name="shapes", checkpoint="shapes", checkpoints=MODELS, options=options)
    )
    await made.ready()
    yield made
    await made.close()


async def seen(shapes: DiffusersAdapter, kind: str = Kind.TEXT_TO_IMAGE, **content: Any) -> Seen:
    return judge((await run(shapes, task(kind, **(GOOD | content)))).image)


async def test_a_picture_is_of_the_size_that_was_trained(shapes: DiffusersAdapter) -> None:
    assert (await run(shapes, task(**GOOD))).image.size == (64, 64)


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("a red circle on a blue background", Seen("blue", "red", "circle")),
        ("a yellow star on a black background", Seen("black", "yellow", "star")),
        ("a green square on white", Seen("white", "green", "square")),
    ],
)
async def test_what_is_asked_for_is_seen(
    shapes: DiffusersAdapter, prompt: str, wanted: Seen
) -> None:
    """A third of the seeds may miss: the checkpoint is small."""
    results = [await seen(shapes, prompt=prompt, seed=seed) for seed in (1, 2, 3)]

    assert results.count(wanted) >= 2


async def test_a_picture_becomes_another(shapes: DiffusersAdapter) -> None:
    first = await run(shapes, task(**GOOD, prompt="a red circle on a blue background", seed=1))
    results = [
        await seen(
            shapes,
            Kind.IMAGE_TO_IMAGE,
            prompt="a green star on a white background",
            init_images=[encoded(first.image)],
            denoising_strength=0.9,
            seed=seed,
        )
        for seed in (1, 2, 3)
    ]

    assert results.count(Seen("white", "green", "star")) >= 2


async def test_the_masked_part_becomes_another(shapes: DiffusersAdapter) -> None:
    results = [
        await seen(
            shapes,
            Kind.IMAGE_TO_IMAGE,
            prompt="a yellow heart on a white background",
            init_images=[encoded(Image.new("RGB", (64, 64), (245, 245, 245)))],
            mask=encoded(mask(64, 64, (6, 6, 58, 58))),
            mask_blur=0,
            denoising_strength=1,
            seed=seed,
        )
        for seed in (1, 2, 3)
    ]

    assert [one.colour for one in results].count("yellow") >= 2


async def test_what_is_not_wanted_is_left_out(shapes: DiffusersAdapter) -> None:
    results = [
        await seen(shapes, prompt="a circle on a white background", negative_prompt="red", seed=s)
        for s in (1, 2, 3)
    ]

    assert "red" not in [one.colour for one in results]
