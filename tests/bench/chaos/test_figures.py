"""Figures of a run: what is an outage, and what the table and the stories say."""

from bench.chaos.audit import Fault, Observed, Violation, tally
from bench.chaos.director import Happening
from bench.chaos.figures import Figures, accounts, figures, rows, shown
from bench.chaos.plan import Plan, Way
from bench.chaos.stalls import GpuWork, Span
from bench.chaos.story import Story
from bench.chaos.timetable import Mishap

OBSERVED = Observed(
    rows={},
    notifications={},
    calls={},
    dead_letters=[],
    objects=frozenset(),
    unreadable=frozenset(),
)
STORY = Story(plan=Plan(id="t1", way=Way.TOPIC), accepted_at=100)
LOST = Violation(fault=Fault.LOST, id="t1", why="it has no row")


def happening(mishap: Mishap, begin: float, end: float) -> Happening:
    return Happening(mishap=mishap, begin=begin, end=end, detail="s3")


def reckoned(*happenings: Happening) -> Figures:
    """Figures of a task that waited from 100 to 300, with GPU work until 110 and from 290."""
    work = [GpuWork("t0", Span(100, 110)), GpuWork("t1", Span(290, 291))]
    return figures(
        [STORY],
        tally([STORY], OBSERVED),
        [LOST],
        work=work,
        told_at={"t1": 300},
        happenings=happenings,
        calls={"s3 PutObject request lost": 2, "sqs SendMessage request lost": 1},
        http_away=[],
        http_failures=0,
    )


def test_work_is_waited_for_from_the_end_of_an_outage() -> None:
    found = reckoned(happening(Mishap.OUTAGE, 200, 280))

    assert (found.outages, found.longest_after_outage) == (1, 10)
    assert found.longest_stall == 180


def test_an_outage_that_goes_over_into_another_fault_ends_with_that() -> None:
    found = reckoned(happening(Mishap.OUTAGE, 200, 280), happening(Mishap.THROTTLING, 270, 285))

    assert (found.outages, found.longest_after_outage) == (1, 5)


def test_an_outage_beside_the_death_of_all_replicas_says_nothing() -> None:
    found = reckoned(
        happening(Mishap.OUTAGE, 200, 280), happening(Mishap.KILL_ALL_REPLICAS, 290, 290)
    )

    assert (found.outages, found.longest_after_outage) == (0, 0)


def test_a_fault_that_is_no_outage_is_none() -> None:
    assert reckoned(happening(Mishap.DELAYS, 200, 280)).outages == 0


def test_calls_are_counted_by_the_fault_that_they_met() -> None:
    assert reckoned().calls_met == {"request lost": 3}


def test_the_table_has_a_line_for_each_promise() -> None:
    lines = dict(rows(reckoned()))

    assert lines["broken: lost"] == 1
    assert {f"broken: {fault.value}" for fault in Fault} <= lines.keys()


def test_the_story_of_a_broken_promise_is_told_with_the_mishaps_of_its_time() -> None:
    STORY.note("published once")
    near, far = happening(Mishap.OUTAGE, 105, 106), happening(Mishap.OUTAGE, 500, 506)
    (account,) = accounts([LOST], [STORY], OBSERVED, [near, far])
    first, second = shown([account])

    assert [each["begin"] for each in account["mishaps"]] == [105]
    assert first == "lost: t1: it has no row"
    assert second.endswith("published once")
