"""A search's answer in pages: cut where enough was found, and marked where the next one starts."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterable
from math import inf
from typing import Annotated

from pydantic import Field, TypeAdapter

from models import strict_json
from models.ports import Page, Search
from models.report import Report

Age = tuple[float, str, str]
"""When it was created, its id and submission: a report's own for ever, whatever its status."""

NEWEST: Age = (inf, "", "")

_MOST_EXAMINED = 500
_AGE: TypeAdapter[Age] = TypeAdapter(tuple[Annotated[float, Field(allow_inf_nan=False)], str, str])


def age(report: Report) -> Age:
    return report.created, report.id, report.submission


def age_after(cursor: str | None) -> Age:
    """What everything on the page after this cursor is older than.

    Raises:
        ValueError: it is no cursor.
    """
    if cursor is None:
        return NEWEST
    try:
        text = b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return _AGE.validate_json(text, strict=True)
    except ValueError:
        raise ValueError("not a cursor of a page") from None


async def paged(reports: AsyncIterable[Report], search: Search, most: int, after: Age) -> Page:
    """A page of those that come, the newest first; what comes twice is taken once."""
    found: list[Report] = []
    examined, last = 0, after
    async for report in reports:
        if age(report) >= last:
            continue
        if len(found) == most or examined == _MOST_EXAMINED:
            return Page(reports=found, next=cursor(last))
        examined, last = examined + 1, age(report)
        if search.finds(report):
            found.append(report)
    return Page(reports=found)


def cursor(last: Age) -> str:
    return urlsafe_b64encode(strict_json.written(last).encode()).decode().rstrip("=")
