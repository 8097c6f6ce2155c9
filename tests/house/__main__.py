"""Check how docstrings open, or print what the code measures.

    python -m tests.house [PATH …]
    python -m tests.house --figures [REVISION …]

Without arguments it ends with 1 where more docstrings open with a refused word than are allowed,
and names them. With paths it names every one below them. `--figures` prints a table: of the work
tree, or of each revision of git that is named.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from tests.house.figures import figures
from tests.house.openings import ALLOWED_SHARE, refused_openings, refused_share
from tests.house.source import Source, revision, work_tree

_WIDE = 160


def main(arguments: Sequence[str]) -> int:
    """Return the status to end with."""
    parser = argparse.ArgumentParser(prog="python -m tests.house", description=__doc__)
    parser.add_argument("paths", nargs="*", metavar="PATH")
    parser.add_argument("--figures", nargs="*", metavar="REVISION")
    given = parser.parse_args(arguments)
    if given.figures is not None:
        trees = {name: revision(name) for name in given.figures} or {"work tree": work_tree()}
        Console(width=_WIDE).print(_table(trees))
        return 0
    sources = [
        source for source in work_tree() if source.path.startswith(tuple(given.paths or [""]))
    ]
    return check(sources, ALLOWED_SHARE, list_all=bool(given.paths))


def check(sources: Sequence[Source], allowed: float, *, list_all: bool = False) -> int:
    """Print the refused openings where they are too many, or all are asked for."""
    found, share = list(refused_openings(sources)), refused_share(sources)
    if list_all or share > allowed:
        print(*found, sep="\n")  # noqa: T201
    print(f"{len(found)} docstrings open with a refused word, {share:.2%}; {allowed:.2%} may")  # noqa: T201
    return int(share > allowed)


def _table(trees: Mapping[str, Sequence[Source]]) -> Table:
    """Return a table with two columns for each tree: its source, and its tests."""
    table = Table("", box=box.MARKDOWN)
    columns: list[Mapping[str, str]] = []
    for name, sources in trees.items():
        for what, is_test in (("source", False), ("tests", True)):
            table.add_column(f"{name} {what}", justify="right")
            columns.append(figures([one for one in sources if one.is_test is is_test]))
    for measure in columns[0]:
        table.add_row(measure, *(column[measure] for column in columns))
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
