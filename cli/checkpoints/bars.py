"""Progress of files of weights that are sent, received or read."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from cli.output import Output
from models.visible import visible
from models.weights.store import Tell

Bar = Callable[[str, int], Tell]
"""Maker of a bar for a file of so many bytes; it returns who is to be told of the bytes done."""


@contextmanager
def file_bars(out: Output) -> Iterator[Bar]:
    """Show a bar for each file until the block ends; none without a terminal."""
    if out.as_json or not sys.stderr.isatty() or out.err.is_dumb_terminal:
        yield lambda name, size: lambda count: None  # noqa: ARG005 - nobody is told
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    # Standard output is for results, which a program may read.
    with Progress(*columns, console=out.err, redirect_stdout=False) as bars:

        def bar(name: str, size: int) -> Tell:
            row = bars.add_task(visible(name), total=size)
            return lambda count: bars.advance(row, count)

        yield bar


def format_size(size: int) -> str:
    """Format a size as people say it: ``12.6 GB``."""
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:  # noqa: PLR2004 - SI units
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
