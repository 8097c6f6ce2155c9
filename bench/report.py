"""Results of a measurement, kept as JSON and shown as a table."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

Count = Annotated[int, typer.Option(min=1)]
"""Number of which there must be one."""
Amount = Annotated[float, typer.Option(min=0)]
Duration = Annotated[float, typer.Option(min=0.001)]
"""Time that is not nothing, or a rate."""
Out = Annotated[Path, typer.Option(help="folder for the figures")]
OUT = Path("bench/out")


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
    Console().print(table, f"kept in {path}")
