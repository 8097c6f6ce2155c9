"""The recording of a terminal shows what a command writes there."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from samples.recording import save, watch
from tests.docs.pages import ROOT

SHOWS = r"""
import sys, time
sys.stdout.write("\x1b_Gi=1,a=q;AAAA\x1b\\")
sys.stdout.write("\x1b[2J\x1b[H" + 8 * "\x1b[38;2;255;0;0m\x1b[48;2;0;0;255m▀" + "\x1b[0m")
sys.stdout.flush()
time.sleep(0.3)
"""


def colours(image: Image.Image) -> set[tuple[int, ...]]:
    found = image.convert("RGB").getcolors(1 << 24) or []
    return {colour for _, colour in found if isinstance(colour, tuple)}


def test_colours_of_half_blocks_are_seen_and_the_file_is_an_animation(tmp_path: Path) -> None:
    frames = list(watch([sys.executable, "-c", SHOWS], tmp_path))
    save(frames, tmp_path / "one.gif")

    assert colours(frames[-1].image) == {(22, 22, 29), (255, 0, 0), (0, 0, 255)}
    assert colours(frames[0].image) != colours(frames[-1].image)
    with Image.open(tmp_path / "one.gif") as animation:
        assert getattr(animation, "n_frames", 1) > 1


def test_the_readmes_recording_is_small_and_ends_with_a_yellow_star_on_blue() -> None:
    file = ROOT / "docs" / "watch.gif"
    with Image.open(file) as animation:
        animation.seek(getattr(animation, "n_frames", 1) - 1)
        red, green, blue = np.moveaxis(np.asarray(animation.convert("RGB")).astype(int), -1, 0)

    assert file.stat().st_size < 1_000_000
    is_blue = (blue > 180) & (red < 90)
    is_yellow = (red > 220) & (green > 190) & (blue < 90)
    assert is_blue.sum() > is_yellow.sum() > 10_000
