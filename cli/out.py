"""What a command says: results on standard output, all else on standard error."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

_ANY = 1000  # columns: a pipe has no width


class Out:
    """Speaks to a person, or in JSON to a program."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.err = Console(stderr=True, highlight=False)

    def json(self, said: BaseModel | Mapping[str, Any]) -> None:
        """One document, in one line."""
        text = said.model_dump_json() if isinstance(said, BaseModel) else json.dumps(said)
        typer.echo(text)

    def line(self, text: str) -> None:
        typer.echo(text)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """The first cell of a row is its name, which is never cut."""
        name, *others = heads
        table = Table(Column(name, no_wrap=True), *others, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*map(Text, row))
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = _ANY
        console.print(table)

    def pairs(self, known: Mapping[str, object]) -> None:
        """What is not None or empty."""
        rows = [(name, str(what)) for name, what in known.items() if what not in (None, "")]
        width = max(len(name) for name, _ in rows)
        for name, what in rows:
            typer.echo(f"{name:{width}}  " + what.replace("\n", "\n" + " " * (width + 2)))

    def note(self, text: str) -> None:
        """What a person may want to know; a program does not."""
        if not self.as_json:
            typer.secho(text, dim=True, err=True)

    def complain(self, text: str) -> None:
        typer.secho(f"atelier: {text}", fg="red", err=True)
