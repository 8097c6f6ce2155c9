"""Results of a measurement, kept as JSON and shown as a table."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

Count = Annotated[int, typer.Option(min=1)]
"""Number of which there must be one."""
Amount = Annotated[float, typer.Option(min=0)]
Duration = Annotated[float, typer.Option(min=0.001)]
"""Time that is not nothing, or a rate."""
Out = Annotated[Path, typer.Option(help="folder for the figures")]
OUT = Path("bench/out")
_WIDEST = 200
"""Characters of the widest line of a table."""


def report(
    path: Path,
    setup: Mapping[str, Any],
    figures: Mapping[str, Any],
    columns: Iterable[str],
    rows: Iterable[Iterable[Any]],
) -> None:
    """Keep the figures in a file of JSON, and show rows of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"setup": setup, "figures": figures}, indent=2, default=str))
    table = Table(*columns, title=str(setup))
    for row in rows:
        table.add_row(*map(str, row))
    console = Console()
    whole = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
    # A terminal that breaks lines is read more easily than words broken within their columns.
    Console(width=max(console.width, whole)).print(table, f"kept in {path}")
