"""Output of a command: results on standard output, all else on standard error.

Everything that a person reads passes here, and is made `visible`: much of it was written by others.
"""

import io
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from models.visible import visible, visible_lines

_ANY = 1000  # columns where there is no terminal: do not wrap

_Document = TypeVar("_Document", bound=BaseModel | Mapping[str, Any])

Cell = str | Sequence[str]
"""Text of one line, or of several."""


class Output:
    """Output to a person as text, or to a program as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # its encoding may lack characters
                stream.reconfigure(errors="backslashreplace")
        self.err = Console(stderr=True, highlight=False)

    def json(self, said: BaseModel | Mapping[str, Any]) -> None:
        """Print one document, in one line of ASCII."""
        document = said.model_dump() if isinstance(said, BaseModel) else said
        # JSON escapes all control characters but DEL.
        typer.echo(json.dumps(document).replace("\x7f", "\\u007f"))

    def answer(self, document: BaseModel | Mapping[str, Any], text: str) -> None:
        """Print a document to a program, a line of text to a person."""
        if self.as_json:
            self.json(document)
        else:
            self.line(text)

    def listing(
        self,
        documents: Iterable[_Document],
        heads: Sequence[str],
        cells: Callable[[_Document], Sequence[Cell]],
        *,
        narrowest: int = 0,
    ) -> None:
        """Print a line for each document to a program, a table with the cells of each to a person.

        Nothing is asked of the documents before they are printed, so they may come page by page.
        ``narrowest``: columns of a terminal below which each gets a block of lines instead.
        """
        if self.as_json:
            for document in documents:
                self.json(document)
        elif self._columns < narrowest:
            for document in documents:
                self.pairs(dict(zip(heads, cells(document), strict=True)))
                self.line("")
        else:
            self.table(heads, map(cells, documents))

    def line(self, text: str) -> None:
        """Print one line; control characters are made visible."""
        typer.echo(visible(text))

    def lines(self, text: str) -> None:
        """Print text that may have several lines, such as an entry of a log."""
        typer.echo(visible_lines(text))

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
        """Print a table; the first cell of a row is its name, which is never cut."""
        name, *others = heads
        table = Table(Column(name, no_wrap=True), *others, box=None, pad_edge=False)
        for row in rows:
            # `Text` is no markup: what a prompt has in brackets stays.
            table.add_row(*(Text(_cell(cell)) for cell in row))
        Console(highlight=False, width=self._columns).print(table)

    @property
    def _columns(self) -> int:
        console = Console()
        return console.width if console.is_terminal else _ANY

    def pairs(self, known: Mapping[str, Cell | None]) -> None:
        """Print names and values, without those that are None or empty."""
        rows = [(name, _cell(what)) for name, what in known.items() if what]
        width = max(len(name) for name, _ in rows)
        for name, what in rows:
            typer.echo(f"{name:{width}}  " + what.replace("\n", "\n" + " " * (width + 2)))

    def note(self, text: str) -> None:
        """Print a note for a person, on standard error; nothing for a program."""
        if not self.as_json:
            typer.secho(visible_lines(text), dim=True, err=True)

    def block(self, text: str) -> None:
        """Print several lines on standard error, such as a diff."""
        typer.echo(visible_lines(text), err=True)

    def complain(self, text: str) -> None:
        """Print an error; lines after the first are indented, so that none poses as ours."""
        typer.secho(f"atelier: {visible_lines(text)}".replace("\n", "\n  "), fg="red", err=True)


def command_line(*words: str) -> str:
    """Return a command line of ours, quoted so that it can be pasted into a shell."""
    return shlex.join(["atelier", *words])


def _cell(what: Cell) -> str:
    return visible(what) if isinstance(what, str) else "\n".join(map(visible, what))
