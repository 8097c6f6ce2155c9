"""Make every deliberate mistake, run the tests that must notice it, and print who did.

    python -m tests.mutants [WORD …]

With words, only the mistakes that hold one of them in their sentence or file. Ends with 1 if a
mistake was not noticed.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from tests.mutants import mutants
from tests.mutants.mutant import Mutant
from tests.mutants.rules import rule_mistakes
from tests.mutants.runner import ROOT, Copy

_SHOWN = 3
_WIDE = 150


def main(words: list[str]) -> int:
    table = Table("mistake", "where", "caught by", show_lines=True)
    missed = 0
    for mistake, where, caught in [*_of_files(_chosen(words)), *_of_rules(words)]:
        missed += not caught
        table.add_row(mistake, where, _told(caught))
    console = Console(width=_WIDE)
    console.print(table)
    console.print(f"{table.row_count} mistakes, {missed} not noticed")
    return 1 if missed or not table.row_count else 0


def _chosen(words: list[str]) -> list[Mutant]:
    return [one for one in mutants() if _is_meant(words, f"{one.mistake} {one.file}")]


def _is_meant(words: list[str], text: str) -> bool:
    return not words or any(word.lower() in text.lower() for word in words)


def _of_files(chosen: list[Mutant]) -> Iterator[tuple[str, str, list[str]]]:
    with tempfile.TemporaryDirectory(prefix="atelier-mutants-") as folder:
        copy = Copy.of(ROOT, Path(folder))
        for mutant in tqdm(chosen, unit="mistake", disable=None):
            yield mutant.mistake, mutant.file, copy.failures(mutant)


def _of_rules(words: list[str]) -> Iterator[tuple[str, str, list[str]]]:
    for mistake, caught in rule_mistakes():
        if _is_meant(words, mistake):
            yield mistake, "manifests", caught


def _told(caught: list[str]) -> str:
    if not caught:
        return "[bold red]NOBODY[/]"
    more = len(caught) - _SHOWN
    return "\n".join([*caught[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
