"""Paging: cuts what a search finds into pages."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st

from ingest.paging import NEWEST, age, age_after, cursor, paged
from models.ledger import Page, Search
from models.report import Report, Status

MANY = 1_200
MINE = Search(runtimes=("painter",), key="me")
NOBODYS = Report(submission="s", id="a", runtime="painter", status=Status.QUEUED)


async def coming(reports: Sequence[Report]) -> AsyncIterator[Report]:
    for report in reports:
        yield report


async def pages(reports: Sequence[Report], most: int) -> Sequence[Page]:
    collected = [await paged(coming(reports), MINE, most, NEWEST)]
    while (after := collected[-1].next) is not None:
        collected.append(await paged(coming(reports), MINE, most, age_after(after)))
    return collected


async def test_what_one_page_examines_is_bounded() -> None:
    """Pages are cut after 500 tasks of somebody else in a row."""
    others = [replace(NOBODYS, created=float(MANY - n)) for n in range(MANY)]
    collected = await pages([*others, replace(NOBODYS, key="me")], most=10)

    assert [len(page.reports) for page in collected] == [0, 0, 1]


async def test_a_full_page_has_no_next_where_nothing_is_left() -> None:
    mine = [replace(NOBODYS, created=float(n), key="me") for n in (2, 1)]

    assert [len(page.reports) for page in await pages(mine, most=2)] == [2]
    assert [len(page.reports) for page in await pages(mine, most=1)] == [1, 1]


async def test_one_that_changed_while_it_was_read_is_taken_once() -> None:
    queued = replace(NOBODYS, key="me", created=1.0)
    (page,) = await pages([queued, replace(queued, status=Status.RUNNING)], most=10)

    assert page.reports == [queued]


@given(
    st.floats(min_value=0, max_value=1e12), st.text(st.characters(codec="utf-8")), st.text("aé🏠-_")
)
def test_a_cursor_is_the_place_where_a_page_ended(created: float, id: str, submission: str) -> None:  # noqa: A002
    last = replace(NOBODYS, created=created, id=id, submission=submission)

    assert age_after(cursor(age(last))) == (created, id, submission)


@given(st.text() | st.text("ab09-_=+/"))
def test_any_other_text_is_refused(text: str) -> None:
    with suppress(ValueError):
        created, id_, submission = age_after(text)
        pytest.fail(f"{text!r} was taken for {created}, {id_!r}, {submission!r}")


@pytest.mark.parametrize(
    "inside",
    [
        [],
        [1.0, "a"],
        [1.0, "a", "b", "c"],
        ["1", "a", "b"],
        [1.0, 2, "b"],
        [float("nan"), "a", "b"],
    ],
)
def test_only_an_age_makes_a_cursor(inside: Sequence[object]) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        age_after(urlsafe_b64encode(json.dumps(inside).encode()).decode())


@pytest.mark.parametrize("id", ["", "?", "??", "???>>>~~~"])
def test_a_cursor_can_stand_in_a_url(id: str) -> None:  # noqa: A002
    text = cursor((1.5, id, "s"))

    assert quote(text, safe="") == text
