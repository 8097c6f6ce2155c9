"""The poster in the README is what the demo paints."""

from pathlib import Path

from PIL import Image

from samples.demo import COLUMNS, SCENES, as_asked
from tests.docs.pages import ROOT

POSTER = ROOT / "docs" / "demo.png"
SIDE = 256


def test_the_poster_shows_the_demos_scenes(tmp_path: Path) -> None:
    poster = Image.open(POSTER)
    rows = len(SCENES) // COLUMNS

    assert poster.size == (COLUMNS * SIDE, rows * SIDE)
    for place, scene in enumerate(SCENES):
        row, column = divmod(place, COLUMNS)
        box = (column * SIDE, row * SIDE, (column + 1) * SIDE, (row + 1) * SIDE)
        poster.crop(box).save(tmp_path / "tile.png")
        assert as_asked(scene, tmp_path / "tile.png"), scene
