"""Make every deliberate mistake, run the tests that must notice it, and print who did.

A line each as soon as it is known, and all in a table at the end.

    python -m tests.mutants [--jobs N] [WORD …]

With words, only the mistakes that hold one of them in their sentence or file. Ends with 1 if a
mistake was not noticed or cannot be made any more, or if a test fails without any.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.mutants import mutants
from tests.mutants.mutant import Mutant
from tests.mutants.rules import rule_mistakes
from tests.mutants.runner import ROOT, Copy, Outcome, outcomes

_SHOWN = 2
_WIDE = 150
_LAST_LINES = 5
_IN_MEMORY = "manifests"

Row = tuple[str, str, Sequence[str], str]
"""Mistake, where it is made, who noticed, and why nobody could."""


def main(arguments: Sequence[str]) -> int:
    """Print the table, and return the status to end with."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("words", nargs="*", metavar="WORD")
    given = parser.parse_args(arguments)
    console = Console(width=_WIDE)
    rows = [*_of_files(_chosen(given.words), given.jobs, console), *_of_rules(given.words)]
    console.print(_table(rows))
    missed = [row for row in rows if not row[2]]
    console.print(f"{len(rows)} mistakes, {len(missed)} not noticed")
    return 1 if missed or not rows else 0


def _chosen(words: Sequence[str]) -> list[Mutant]:
    return [one for one in mutants() if _is_meant(words, f"{one.mistake} {one.file}")]


def _is_meant(words: Sequence[str], text: str) -> bool:
    return not words or any(word.lower() in text.lower() for word in words)


def _of_files(chosen: Sequence[Mutant], jobs: int, console: Console) -> list[Row]:
    """Return the rows in the order of the mistakes, however they were run."""
    if not chosen:
        return []
    with TemporaryDirectory(prefix="atelier-mutants-") as place:
        copies = [Copy.of(ROOT, Path(place) / str(number)) for number in range(jobs)]
        _check_without(copies[0], chosen)
        run = told(outcomes(chosen, copies), len(chosen), console)
        found = {one.mutant.mistake: one for one in run}
    ordered = (found[mutant.mistake] for mutant in chosen)
    return [(one.mutant.mistake, one.mutant.file, one.caught, one.broken) for one in ordered]


def told(found: Iterable[Outcome], total: int, console: Console) -> Iterator[Outcome]:
    """Print each outcome as it comes, so that a run that is ended early has told something."""
    for number, one in enumerate(found, 1):
        by = _told(one.caught, one.broken).replace("\n", ", ")
        console.print(f"{number}/{total} {escape(one.mutant.mistake)}: {by}", soft_wrap=True)
        yield one


def _check_without(copy: Copy, chosen: Iterable[Mutant]) -> None:
    """Refuse tests that fail by themselves: those would notice everything.

    Raises:
        SystemExit: some do.
    """
    tests = sorted({test for mutant in chosen for test in mutant.tests.split()})
    failing = copy.failing([test for test in tests if (copy.folder / test.split("::")[0]).exists()])
    if failing:
        raise SystemExit("without any mistake these fail:\n" + "\n".join(failing))


def _of_rules(words: Sequence[str]) -> Iterator[Row]:
    for mistake, caught in rule_mistakes():
        if _is_meant(words, mistake):
            yield mistake, _IN_MEMORY, caught, ""


def _table(rows: Iterable[Row]) -> Table:
    table = Table()
    table.add_column("mistake", ratio=4)
    table.add_column("where", ratio=3)
    table.add_column("caught by", ratio=6, overflow="fold")
    for mistake, where, caught, broken in rows:
        in_memory = where == _IN_MEMORY
        table.add_row(escape(mistake), where, _told(caught, broken), end_section=not in_memory)
    return table


def _told(caught: Sequence[str], broken: str) -> str:
    if broken:
        return f"[bold red]CANNOT BE MADE[/]\n{escape(_end(broken))}"
    if not caught:
        return "[bold red]NOBODY[/]"
    names = [name.rpartition("::")[2] or name for name in caught]
    more = [f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return escape("\n".join([*names[:_SHOWN], *more]))


def _end(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_LAST_LINES:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
