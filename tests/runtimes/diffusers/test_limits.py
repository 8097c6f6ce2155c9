"""Sizes of what is painted over a picture, and how large the pictures of a task may be together."""

import math

import pytest
from PIL import Image

from deployments.runtimes.diffusers.limits import Limits
from models.errors import TaskFailed
from models.runtimes.diffusers import Options
from models.runtimes.diffusers.generation_requests import ImageToImage
from tests.runtimes.diffusers.conftest import Ask, encoded, mask


@pytest.mark.parametrize(
    ("source", "asked", "size"),
    [
        ((403, 302), {}, (403, 302)),
        ((4032, 3024), {}, (2364, 1773)),
        ((2048, 2048), {}, (2048, 2048)),
        ((10_000, 1_000), {}, (6476, 647)),
        ((4032, 3024), {"width": 1024}, (1024, 768)),
        ((4032, 3024), {"height": 768}, (1024, 768)),
        ((4032, 3024), {"width": 512, "height": 512}, (512, 512)),
    ],
)
@pytest.mark.parametrize("factor", [4, 8])
def test_what_is_painted_over_a_picture_has_its_size_as_far_as_that_is_allowed(
    source: tuple[int, int], asked: dict[str, int], size: tuple[int, int], factor: int
) -> None:
    request = ImageToImage.read({"init_images": ["AAAA"], **asked})
    limits = Limits(Options(), factor)
    width, height = limits.size_over(request, source)

    assert abs(width - size[0]) < factor
    assert abs(height - size[1]) < factor
    assert (width % factor, height % factor) == (0, 0)
    assert width * height <= limits.options.max_pixels


async def test_large_pictures_of_which_parts_are_repainted_are_bounded_together(
    ask: Ask,
) -> None:
    """The headers tell: what is behind them is cut off, and is not missed."""
    side = math.isqrt(Options().max_upscaled_pixels) // 2 + 512
    large = encoded(Image.new("1", (side, side)))[:80]
    with pytest.raises(TaskFailed, match=r"init_images: 4 pictures .* more than 67108864"):
        await ask(
            "image-to-image",
            init_images=[large] * 4,
            batch_size=4,
            width=32,
            height=32,
            mask=encoded(mask(8, 8, (2, 2, 6, 6))),
        )
