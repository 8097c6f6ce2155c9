"""Fitting first pictures and masks, without any checkpoint."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from deployments.runtimes.diffusers.masks import drawing
from deployments.runtimes.diffusers.source_image import Resize, SourceImage, fit_source, fitted
from models.runtimes.diffusers.generation_requests import ImageToImage
from tests.runtimes.diffusers.conftest import mask, noise

sides = st.integers(1, 40)


def grounded(area: Image.Image, size: tuple[int, int] = (32, 32), **more: object) -> SourceImage:
    return fit_source(
        ImageToImage.read({"init_images": ["x"], "mask_blur": 0, **more}),
        noise(*area.size),
        drawing(area),
        size,
    )


@given(sides, sides, sides, sides, st.sampled_from(Resize))
def test_any_picture_fits_any_size(w: int, h: int, wide: int, high: int, how: Resize) -> None:
    assert fitted(Image.new("RGB", (w, h)), (wide, high), how).size == (wide, high)


def test_cropping_keeps_the_middle_and_filling_keeps_everything() -> None:
    image = Image.new("RGB", (40, 20), "red")
    image.paste("blue", (10, 0, 30, 20))
    cropped, filled = [
        np.asarray(fitted(image, (20, 20), how)) for how in (Resize.CROP, Resize.FILL)
    ]

    assert (cropped[10, 2] == (0, 0, 255)).all()
    assert (filled[10, 1] == (255, 0, 0)).all()
    assert (filled[0, 10] == (0, 0, 255)).all()


@given(st.data())
def test_only_white_parts_are_repainted(data: st.DataObject) -> None:
    width, height = data.draw(st.integers(8, 40)), data.draw(st.integers(8, 40))
    left, top = data.draw(st.integers(0, width - 2)), data.draw(st.integers(0, height - 2))
    right = data.draw(st.integers(left + 1, width))
    bottom = data.draw(st.integers(top + 1, height))
    area = mask(width, height, (left, top, right, bottom))
    made = grounded(
        area,
        mask_blur=data.draw(st.integers(0, 8)),
        inpaint_full_res_padding=data.draw(st.integers(0, 40)),
    )
    assert made.repaint
    painted = made.finish(Image.new("RGB", (32, 32), "magenta"))
    changed = (np.asarray(painted) != np.asarray(made.repaint.whole)).any(axis=-1)

    assert painted.size == area.size
    assert not changed[np.asarray(area) == 0].any()
    assert changed.any()


def test_the_view_is_the_part_to_repaint_in_the_proportions_of_the_size() -> None:
    made = grounded(mask(64, 64, (20, 20, 30, 30)), (64, 32))

    assert made.repaint
    assert made.repaint.box == (15, 20, 35, 30)
    assert made.view.size == (64, 32)


def test_the_surroundings_are_spread_into_the_part() -> None:
    image = Image.new("RGB", (64, 64), "green")
    image.paste("white", (24, 24, 40, 40))
    area = mask(64, 64, (20, 20, 44, 44))
    made = fit_source(
        ImageToImage.read({"init_images": ["x"], "inpaint_full_res": False, "mask_blur": 0}),
        image,
        area,
        (64, 64),
    )
    middle = np.asarray(made.filled)[32, 32].astype(int)

    assert np.abs(middle - (0, 128, 0)).max() < 20


@pytest.mark.parametrize("kind", ["transparent", "grey"])
def test_a_mask_may_be_drawn_in_its_transparency(kind: str) -> None:
    area = mask(32, 32, (8, 8, 24, 24))
    if kind == "transparent":
        drawn = Image.new("RGBA", (32, 32), "black")
        drawn.putalpha(area)
        area = drawn
    made = grounded(area)

    assert made.repaint
    assert made.repaint.box == (8, 8, 24, 24)


def drawn_in_colours(alpha: Image.Image) -> Image.Image:
    grey = mask(32, 32, (8, 8, 24, 24))
    return Image.merge("RGBA", (grey, grey, grey, alpha))


def drawn_on_nothing(colour: tuple[int, int, int]) -> Image.Image:
    """Make a drawing in one colour on a transparent ground, which is black as canvases leave it."""
    area = mask(32, 32, (8, 8, 24, 24))
    drawn = Image.composite(Image.new("RGB", area.size, colour), Image.new("RGB", area.size), area)
    return Image.merge("RGBA", (*drawn.split(), area))


def but(value: int, box: tuple[int, int, int, int]) -> Image.Image:
    alpha = Image.new("L", (32, 32), 255)
    alpha.paste(value, box)
    return alpha


@pytest.mark.parametrize(
    "drawn",
    [
        drawn_in_colours(but(128, (8, 8, 24, 24))),
        drawn_in_colours(but(100, (8, 8, 24, 24))),
        drawn_in_colours(but(0, (0, 0, 1, 1))),
        drawn_in_colours(but(0, (16, 16, 17, 17))),
        drawn_on_nothing((0, 0, 0)),
        drawn_on_nothing((255, 255, 255)),
        drawn_on_nothing((255, 0, 0)),
        Image.merge("RGBA", (*noise(32, 32).split(), mask(32, 32, (8, 8, 24, 24)))),
    ],
    ids=["half", "faint", "a corner", "a hole", "black", "white", "red", "a photograph"],
)
def test_of_a_mask_with_transparency_the_channel_counts_that_it_is_drawn_in(
    drawn: Image.Image,
) -> None:
    made = grounded(drawn)

    assert made.repaint
    assert made.repaint.box == (8, 8, 24, 24)
