"""``python -m samples.recording FILE.gif``: a terminal while the command watches a picture grow.

Nothing of it is drawn by hand: the command runs on a platform that is started for it, and what it
writes to its terminal is shown as a terminal shows it.
"""

import fcntl
import os
import pty
import re
import select
import shlex
import struct
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pyte
import typer
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from samples.local import running

WORDS = (
    *("submit", "a yellow star on blue", "--id", "star", "--cfg-scale", "4"),
    *("--steps", "30", "--seed", "3", "--watch"),
)
COLUMNS, ROWS = 92, 34
SECONDS = 120.0
TURN = 0.08
"""Seconds from one picture of the screen to the next, at least."""
_QUIET = 0.02  # seconds without output: then a picture is whole
_SHORTEST, _LONGEST, _FIRST, _LAST = 0.3, 0.6, 1.2, 5.0  # seconds
_CELL = (8, 16)  # pixels
_MARGIN = 12
_PAPER, _INK = "#16161d", "#dcd7ba"
_SPINNER = ("⠀", "⣿")
"""Letters that the font lacks."""
_TO_KITTY = re.compile(rb"\x1b_.*?\x1b\\", re.DOTALL)
"""Queries whether a terminal can show pictures; a terminal that cannot ignores them."""
_HALVES = {"▀": (0, 8), "▄": (8, 16)}
"""Blocks that are half a cell: from where to where they reach, from above."""
_NAMED = {
    "black": "#16161d",
    "red": "#c34043",
    "green": "#76946a",
    "brown": "#c0a36e",
    "blue": "#7e9cd8",
    "magenta": "#957fb8",
    "cyan": "#6a9589",
    "white": "#c8c093",
}


@dataclass(frozen=True)
class Frame:
    """Screen of the terminal, and since when it showed this (monotonic seconds)."""

    image: Image.Image
    since: float


def main(file: Path) -> None:
    with running() as there, TemporaryDirectory() as folder:
        os.environ["ATELIER_URL"] = there.address["url"]
        os.environ["ATELIER_API_KEY"] = there.address["api_key"]
        os.environ["PYTHONPATH"] = str(Path.cwd())
        frames = list(watch([sys.executable, "-m", "cli", *WORDS], Path(folder)))
    save(frames, file)


def watch(command: list[str], folder: Path) -> Iterator[Frame]:
    """Run a command in a folder and a terminal of its own; what that showed, in pictures."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    stream.feed(f"$ atelier {shlex.join(WORDS)}\r\n".encode())
    yield Frame(drawn(screen), time.monotonic())
    child, terminal = pty.fork()
    # `pty.fork` returns twice: 0 in the child, whose terminal is the new one.
    if child == 0:
        _become(command, folder)
    _resize(terminal)
    for output in _outputs(terminal):
        stream.feed(_TO_KITTY.sub(b"", output))
        yield Frame(drawn(screen), time.monotonic())
    os.waitpid(child, 0)


def _become(command: list[str], folder: Path) -> None:
    os.chdir(folder)
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    time.sleep(0.2)  # the terminal gets its size first
    os.execv(command[0], command)  # noqa: S606 - our own interpreter


def _resize(terminal: int) -> None:
    width, height = COLUMNS * _CELL[0], ROWS * _CELL[1]
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, width, height))


def _outputs(terminal: int) -> Iterator[bytes]:
    """Yield the output of each turn until the command has ended."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(TURN)
        output = b""
        try:
            while select.select([terminal], [], [], _QUIET)[0]:
                output += os.read(terminal, 1 << 20)
        except OSError:  # as Linux says that nobody writes there any more
            yield output
            return
        if output:
            yield output


def drawn(screen: pyte.Screen) -> Image.Image:
    """The screen as a picture."""
    width, height = _CELL
    size = (COLUMNS * width + 2 * _MARGIN, ROWS * height + 2 * _MARGIN)
    image = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSansMono.ttf", 13)
    for row in range(ROWS):
        for column in range(COLUMNS):
            at = (_MARGIN + column * width, _MARGIN + row * height)
            _draw_cell(draw, at, screen.buffer[row][column], font)
    return image


def _draw_cell(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    cell: pyte.screens.Char,
    font: ImageFont.FreeTypeFont,
) -> None:
    (x, y), (width, height) = at, _CELL
    ink, paper = _colour(cell.fg, _INK), _colour(cell.bg, _PAPER)
    if paper != _PAPER:
        draw.rectangle((x, y, x + width - 1, y + height - 1), fill=paper)
    if cell.data in _HALVES:
        top, bottom = _HALVES[cell.data]
        draw.rectangle((x, y + top, x + width - 1, y + bottom - 1), fill=ink)
    elif cell.data.strip() and not _SPINNER[0] <= cell.data <= _SPINNER[1]:
        draw.text((x, y), cell.data, fill=ink, font=font)


def _colour(name: str, default: str) -> str:
    if name == "default":
        return default
    if (known := _NAMED.get(name.removeprefix("bright"))) is not None:
        return known
    return f"#{name}" if len(name) == len("rrggbb") else default


def save(frames: Sequence[Frame], file: Path) -> None:
    """An animation of the frames, each as long as it was seen, within bounds."""
    images = [frame.image.quantize(96, dither=Image.Dither.NONE) for frame in frames]
    pauses = [later.since - frame.since for frame, later in pairwise(frames)]
    # Longer pauses are cut: while a start or a queue is waited for, nothing is to be seen.
    seconds = [_FIRST, *(min(_LONGEST, max(_SHORTEST, pause)) for pause in pauses[1:]), _LAST]
    images[0].save(
        file,
        save_all=True,
        append_images=images[1:],
        duration=[round(1000 * each) for each in seconds],
        loop=0,
        optimize=True,
    )


if __name__ == "__main__":
    typer.run(main)
