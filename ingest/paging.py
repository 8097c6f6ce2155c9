"""Paging: cuts what a search finds into pages, and marks where the next one starts."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterable
from math import inf
from typing import Annotated

from pydantic import Field, TypeAdapter

from models import strict_json
from models.ledger import Page, Search
from models.report import Report

Age = tuple[float, str, str]
"""Time of creation, id and submission: place of a report in every search, whatever its status."""

NEWEST: Age = (inf, "", "")

_MOST_EXAMINED = 500  # so that a search that finds little ends, too
# DynamoDB has no number for an infinity, so that no client may send one.
_AGE: TypeAdapter[Age] = TypeAdapter(tuple[Annotated[float, Field(allow_inf_nan=False)], str, str])


def age(report: Report) -> Age:
    """Return the place of a report in the order of age."""
    return report.created, report.id, report.submission


def age_after(cursor: str | None) -> Age:
    """Return the age that all reports on the page after this cursor are below.

    Raises:
        ValueError: the text is no cursor.
    """
    if cursor is None:
        return NEWEST
    try:
        # The padding was cut off for URLs. Without `validate` foreign characters would be skipped.
        text = b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return _AGE.validate_json(text, strict=True)
    except ValueError:
        raise ValueError("not a cursor of a page") from None


async def paged(reports: AsyncIterable[Report], search: Search, most: int, after: Age) -> Page:
    """Collect a page from reports that come the newest first; one that comes twice counts once.

    A page is cut after ``most`` finds, or after 500 reports that were looked at.
    """
    found: list[Report] = []
    examined, last = 0, after
    async for report in reports:
        # Ages fall, so this drops the page before as well as a task whose status changed meanwhile
        # and which thus came in two partitions.
        if age(report) >= last:
            continue
        if len(found) == most or examined == _MOST_EXAMINED:
            # Not before another report has come: a page that is full may be the last.
            return Page(reports=found, next=cursor(last))
        examined, last = examined + 1, age(report)
        if search.finds(report):
            found.append(report)
    return Page(reports=found)


def cursor(last: Age) -> str:
    """Write the age of a page's last report as a cursor, which ``age_after`` reads."""
    return urlsafe_b64encode(strict_json.written(last).encode()).decode().rstrip("=")
