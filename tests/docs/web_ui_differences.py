"""Write the table of differences from the Web UI: `python -m tests.docs.web_ui_differences`."""

import sys
from collections.abc import Iterator

from tests.docs.web_ui_fields import PAGE
from tests.runtimes.diffusers.web_ui.differences import known
from tests.runtimes.diffusers.web_ui.requests import Request, all_requests

BEGIN, END = "## Compared with the Web UI\n", "\n## What is refused, and how\n"
_INTRODUCTION = """
Ours paints the pictures of AUTOMATIC1111's Web UI: {count} requests were sent by hand to a server
of its code (and, with two samplers that it lacks, to one of Forge), and its pictures are kept and
compared with ours in `make test`. The checkpoint is a small one of random weights and pictures have
64 pixels a side, so that what differs differs more than with a trained one.
`tests/runtimes/diffusers/web_ui/recorded/README.md` says which versions, and how to do it again.

Differences are in 255ths of a channel; the table is made of them (`python -m
tests.docs.web_ui_differences`). About 0.5 is none: the Web UI cuts off the fraction of a colour,
ours rounds.
"""


def section() -> str:
    """Write the section, without its heading."""
    return "\n".join([_INTRODUCTION.format(count=len(all_requests())), *_table(), ""])


def page() -> str:
    """Return the page with the section as the measured differences have it."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return before + BEGIN + section() + END + rest.partition(END)[2]


def _table() -> Iterator[str]:
    found: dict[tuple[str, str], list[Request]] = {}
    for request in all_requests():
        found.setdefault((request.sort, request.cause), []).append(request)
    yield from (
        "| requests | number | mean difference | largest mean | largest of a pixel | cause |",
        "|---|---|---|---|---|---|",
    )
    for (sort, cause), requests in sorted(found.items(), key=lambda item: _place(item[0])):
        yield _row(sort, cause, requests)


def _place(row: tuple[str, str]) -> tuple[int, bool]:
    sorts = list(dict.fromkeys(request.sort for request in all_requests()))
    return sorts.index(row[0]), bool(row[1])


def _row(sort: str, cause: str, requests: list[Request]) -> str:
    differences = [known()[request.name] for request in requests]
    means = [difference.mean for difference in differences]
    mean, most = sum(means) / len(means), max(means)
    largest = max(difference.largest for difference in differences)
    what = f"{sort}: {_names(requests)}" if cause else sort
    numbers = f"{len(requests)} | {mean:.1f} | {most:.1f} | {largest}"
    return f"| {what} | {numbers} | {cause or 'rounding'} |"


def _names(requests: list[Request]) -> str:
    """Name the requests by what tells them from the others of their sort."""
    return ", ".join(_name(request) for request in requests)


def _name(request: Request) -> str:
    if request.sort.startswith("samplers"):
        return str(request.body["sampler_name"])
    return request.name.partition("-")[2]


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE} is written\n")
