"""Save options, and progress of pictures that are being saved."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from atelier import SaveProgress
from cli.output import Output
from models.visible import visible

MaxBytes = Annotated[
    int | None,
    typer.Option(min=1, help="Save no picture that has more.", metavar="BYTES"),
]


def refuse_file(path: Path | None) -> Path | None:
    """Refuse a file where a folder is wanted, before there is anything to be saved."""
    if path is not None:
        file = next((parent for parent in (path, *path.parents) if os.path.isfile(parent)), None)  # noqa: PTH113 - no error for a long name
        if file is not None:
            raise typer.BadParameter(f"{visible(str(file))} is a file; name a folder")
    return path


@contextmanager
def download_bars(out: Output) -> Iterator[SaveProgress | None]:
    """Show a bar with the size of each file that is saved; yield None without a terminal."""
    if out.as_json or not sys.stderr.isatty() or out.err.is_dumb_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=out.err) as bars:
        rows: dict[int, TaskID] = {}

        def tell(n: int, done: int, of: int | None) -> None:
            if n not in rows:
                rows[n] = bars.add_task(f"picture {n}", total=of)
            bars.update(rows[n], completed=done, total=of)

        yield tell


def download_text(done: int, of: int | None) -> str:
    """Format a download's progress in megabytes; ``of`` is None if the size is not known."""
    whole = "" if of is None else f" of {of / 1e6:.1f}"
    return f"saving, {done / 1e6:.1f}{whole} MB"
