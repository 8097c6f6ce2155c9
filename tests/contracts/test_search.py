"""Search of the ledger: its contract in memory, on the embedded AWS and on moto."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import pytest

from ingest.paging import age, age_after
from models.ledger import Ledger, Search
from models.report import Report, Status
from models.task import Callback, Task
from tests.clock import Clock
from tests.contracts.ports import World
from tests.fences import MINE, fence


async def queued(ledger: Ledger, task: Task, *names: str, key: str | None = None) -> None:
    """Queue a submission of each name, all created at this moment."""
    for name in names:
        await ledger.queue(named(task, name), key)


async def one_by_one(ledger: Ledger, clock: Clock, task: Task, names: str) -> None:
    for name in names:
        clock.now += 1
        await queued(ledger, task, name)


def named(task: Task, name: str) -> Task:
    return replace(task, id=name, submission=f"{task.id} {name}")


def of(task: Task) -> Search:
    return Search(runtimes=(task.runtime,))


def names(reports: Sequence[Report]) -> str:
    return "".join(report.id for report in reports)


async def found(ledger: Ledger, search: Search) -> str:
    page = await ledger.search(search, 100)
    assert page.next is None
    return names(page.reports)


async def pages(ledger: Ledger, search: Search, most: int) -> Sequence[str]:
    page = await ledger.search(search, most)
    collected = [names(page.reports)]
    while page.next is not None:
        page = await ledger.search(search, most, page.next)
        collected.append(names(page.reports))
    return collected


async def test_the_newest_come_first_whatever_their_status(
    ledger: Ledger, clock: Clock, task: Task
) -> None:
    await one_by_one(ledger, clock, task, "abcde")
    await ledger.start(named(task, "a"), MINE)
    await ledger.finish(Report.of(named(task, "c"), Status.COMPLETED), MINE)
    await ledger.cancel("d", named(task, "d").submission, MINE)

    assert await found(ledger, of(task)) == "edcba"


async def test_what_is_found_is_all_that_is_known(ledger: Ledger, task: Task) -> None:
    task = replace(task, context={"é": 1}, callback=Callback(url="https://example.com"))
    await ledger.queue(task, "me")
    await ledger.start(task, MINE)
    (report,) = (await ledger.search(of(task), 10)).reports
    known = await ledger.find(task.id)

    assert known is not None
    assert report == known
    assert (report.created, report.updated) == (known.created, known.updated)


async def test_runtimes_and_statuses_are_chosen(ledger: Ledger, clock: Clock, task: Task) -> None:
    other = replace(task, runtime=uuid4().hex)
    await one_by_one(ledger, clock, task, "abc")
    await one_by_one(ledger, clock, other, "de")
    await ledger.start(named(task, "b"), MINE)
    await ledger.start(named(other, "e"), MINE)
    both = (task.runtime, other.runtime)

    assert await found(ledger, Search(runtimes=both)) == "edcba"
    assert await found(ledger, Search(runtimes=both, statuses=(Status.RUNNING,))) == "eb"
    assert await found(ledger, replace(of(task), statuses=(Status.QUEUED,))) == "ca"
    assert await found(ledger, replace(of(task), statuses=(Status.FAILED,))) == ""
    assert await found(ledger, Search(runtimes=())) == ""


async def test_those_of_one_key_are_chosen(ledger: Ledger, clock: Clock, task: Task) -> None:
    await queued(ledger, task, "a", key="me")
    clock.now += 1
    await queued(ledger, task, "b", key="you")
    await queued(ledger, task, "c")
    clock.now += 1
    await queued(ledger, task, "d", key="me")

    assert await found(ledger, replace(of(task), key="me")) == "da"


async def test_a_time_is_chosen(ledger: Ledger, clock: Clock, task: Task) -> None:
    began = clock.now
    await one_by_one(ledger, clock, task, "abcde")

    assert await found(ledger, replace(of(task), since=began + 2)) == "edcb"
    assert await found(ledger, replace(of(task), until=began + 4)) == "cba"
    assert await found(ledger, replace(of(task), since=began + 2, until=began + 4)) == "cb"
    assert await found(ledger, replace(of(task), since=began + 4, until=began + 2)) == ""
    assert await found(ledger, replace(of(task), since=-1e300, until=1e300)) == "edcba"
    assert await found(ledger, replace(of(task), since=1e-300)) == "edcba"
    assert await found(ledger, replace(of(task), until=1e-300)) == ""


@pytest.mark.parametrize("most", [1, 2, 3, 6, 7])
async def test_pages_hold_each_once(ledger: Ledger, clock: Clock, task: Task, most: int) -> None:
    await one_by_one(ledger, clock, task, "abcdef")
    for name in "bdf":
        await ledger.start(named(task, name), MINE)
    found = await pages(ledger, of(task), most)

    assert "".join(found) == "fedcba"
    assert max(map(len, found)) <= most


@pytest.mark.parametrize("most", [1, 2, 3])
async def test_what_was_created_at_once_is_told_apart(
    ledger: Ledger, clock: Clock, task: Task, most: int
) -> None:
    await queued(ledger, task, *"bdac")
    clock.now += 1e-6
    await queued(ledger, task, *"ge")
    await queued(ledger, task, "f", "f", "h")
    for name in "bch":
        await ledger.start(named(task, name), MINE)

    assert "".join(await pages(ledger, of(task), most)) == "hgfedcba"


async def test_one_id_can_be_found_many_times(ledger: Ledger, task: Task) -> None:
    for submission in "bca":
        await ledger.queue(replace(task, submission=submission))
    first = await ledger.search(of(task), 2)
    last = await ledger.search(of(task), 2, first.next)

    assert [r.submission for r in (*first.reports, *last.reports)] == ["c", "b", "a"]


async def test_more_than_one_read_brings_are_found(ledger: Ledger, task: Task) -> None:
    given = [f"{n:03}." for n in range(120)]
    await queued(ledger, task, *given)
    found = await pages(ledger, of(task), 70)

    assert [len(page) // 4 for page in found] == [70, 50]
    assert "".join(found) == "".join(reversed(given))


async def test_what_changes_between_pages_does_not_come_again(
    ledger: Ledger, clock: Clock, task: Task
) -> None:
    await one_by_one(ledger, clock, task, "abcd")
    first = await ledger.search(of(task), 2)
    await one_by_one(ledger, clock, task, "e")
    for name in "abcd":
        await ledger.start(named(task, name), MINE)
    last = await ledger.search(of(task), 4, first.next)

    assert names(first.reports) == "dc"
    assert names(last.reports) == "ba"
    assert last.next is None


async def test_what_was_cancelled_unknown_is_not_found(
    kept: World, ledger: Ledger, clock: Clock, task: Task
) -> None:
    await ledger.cancel(task.id, task.submission, MINE)
    await kept.claims_at(clock).claim(task.id, "x")

    assert await found(ledger, of(task)) == ""
    assert await found(ledger, Search(runtimes=("unknown",))) == ""


@pytest.mark.parametrize(
    "after",
    [
        "",
        "nonsense",
        "é",
        "\x00",
        "W10",
        "bnVsbA",
        "WzEsImEiXQ",
        "W05hTiwiYSIsImIiXQ",
        "=",
        "a" * 999,
    ],
)
async def test_another_word_than_a_cursor_is_refused(
    ledger: Ledger, task: Task, after: str
) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        await ledger.search(of(task), 10, after)


class TestWaiting:
    async def test_the_oldest_of_a_runtime_come_first(
        self, ledger: Ledger, clock: Clock, task: Task
    ) -> None:
        began = clock.now
        await one_by_one(ledger, clock, task, "abcde")
        await one_by_one(ledger, clock, replace(task, runtime=uuid4().hex), "f")
        await ledger.start(named(task, "a"), MINE)
        await ledger.cancel("c", named(task, "c").submission, MINE)

        assert await ledger.waiting(task.runtime, 2) == [began + 2, began + 4]
        assert await ledger.waiting(task.runtime, 9) == [began + 2, began + 4, began + 5]
        assert await ledger.waiting("unknown", 9) == []

    async def test_what_waits_again_is_as_old_as_it_is(
        self, ledger: Ledger, clock: Clock, task: Task
    ) -> None:
        began = clock.now
        await ledger.queue(task)
        clock.now += 1
        await ledger.requeue(await ledger.start(task, MINE), MINE)

        assert await ledger.waiting(task.runtime, 9) == [began]


async def test_what_nobody_has_any_more_reads_as_queued(
    ledger: Ledger, clock: Clock, task: Task
) -> None:
    """A killed ingest leaves its rows as running; its delivery may wait behind a backlog."""
    began = clock.now
    await ledger.queue(task)
    clock.now += 1
    await queued(ledger, task, "b")
    await ledger.start(task, fence("killed", clock.now + 27))
    of_status = {each: replace(of(task), statuses=(each,)) for each in Status}
    ids = {status: await found(ledger, search) for status, search in of_status.items()}
    clock.now += 27
    later = {status: await found(ledger, search) for status, search in of_status.items()}
    read = await ledger.find(task.id)

    assert (ids[Status.RUNNING], ids[Status.QUEUED]) == (task.id, "b")
    assert (later[Status.RUNNING], later[Status.QUEUED]) == ("", f"b{task.id}")
    assert await ledger.waiting(task.runtime, 9) == [began, began + 1]
    assert read is not None
    assert (read.status, read.attempt) == (Status.QUEUED, 1)
    assert (await ledger.start(task, MINE)).attempt == 1


async def test_others_tasks_are_in_no_page_and_no_cursor_of_ones_own(
    ledger: Ledger, clock: Clock, task: Task
) -> None:
    """Tasks of others are not read, however many they are, and so no page ends at one.

    Between two of one's own there are more of others than a read brings.
    """
    mine, others = f"me {task.id}", f"you {task.id}"
    for name in "abc":
        clock.now += 1
        await queued(ledger, task, name, key=mine)
        await queued(ledger, task, *(f"{name}{n}" for n in range(60)), key=others)
    await ledger.start(named(task, "b"), MINE)
    search = replace(of(task), key=mine)
    for most in (1, 2, 100):
        page = await ledger.search(search, most)
        reports = [*page.reports]
        while page.next is not None:
            assert age_after(page.next) in [age(report) for report in reports]
            page = await ledger.search(search, most, page.next)
            reports += page.reports

        assert names(reports) == "cba"
    assert await found(ledger, replace(search, statuses=(Status.RUNNING,))) == "b"
