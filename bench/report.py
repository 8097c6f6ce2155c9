"""What a measurement found: kept as JSON, shown as a table."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

OUT = Path("bench/out")


def report(
    name: str,
    setup: Mapping[str, Any],
    figures: Mapping[str, Any],
    columns: Iterable[str],
    rows: Iterable[Iterable[Any]],
) -> None:
    """Keep the figures under a name, and show rows of them."""
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{name}.json"
    path.write_text(json.dumps({"setup": setup, "figures": figures}, indent=2, default=str))
    table = Table(*columns, title=str(setup))
    for row in rows:
        table.add_row(*map(str, row))
    Console().print(table, f"kept in {path}")
