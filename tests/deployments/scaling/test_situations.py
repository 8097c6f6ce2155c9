"""Scaling policy as a table of situations."""

from typing import Any

import pytest

from deployments.scaling import Memory, Observed, decide, eta
from models.fleet import Demand, Supply
from tests.deployments.scaling.cases import (
    BOTH,
    BY_DAY,
    BY_NIGHT,
    IN_TOKYO,
    LATENCY,
    LESS,
    NEVER,
    NOON,
    PERCENT,
    PODS,
    SPARING,
    goes,
    rules,
    tasks,
    there,
)


@pytest.mark.parametrize(
    ("demand", "supply", "given", "wanted", "reason"),
    [
        # By number.
        (tasks(), there(0), {}, 0, "nothing to do"),
        (tasks(1), there(0), {}, 1, "1 task waits: 1 replica at 10 tasks each"),
        (tasks(12, 3), there(1), {}, 2, "12 tasks wait, 3 run: 2 replicas at 10 tasks each"),
        (tasks(0, 1), there(1), {}, 1, "1 task runs: 1 replica at 10 tasks each"),
        (tasks(0, 20), there(2), {}, 2, "20 tasks run: 2 replicas at 10 tasks each"),
        (tasks(9), there(0), {"queueLength": 3}, 3, "9 tasks wait: 3 replicas at 3 tasks each"),
        (tasks(3), there(0), {"queueLength": 1}, 3, "3 tasks wait: 3 replicas at 1 task each"),
        (tasks(9, 5), there(5), SPARING, 5, "5 replicas, since running tasks keep theirs"),
        (tasks(30, 2), there(2), SPARING, 3, "30 tasks wait, 2 run: 3 replicas at 10 waiting"),
        (tasks(1, 1), there(0), SPARING, 1, "1 task waits, 1 runs: 1 replica at 10 waiting tasks"),
        # By latency. A start takes 30 s, so none is worth it for less than 30 s of work.
        (tasks(40), there(1), LATENCY, 4, "40 tasks wait: 4 replicas at 10 tasks each"),
        (tasks(40, seconds=1.5), there(1), LATENCY, 1, "40 tasks wait: 1 replica within 60 s"),
        (tasks(60, seconds=1.5), there(1), LATENCY, 2, "60 tasks wait: 2 replicas within 60 s"),
        (tasks(60, seconds=1.5), there(0), LATENCY, 3, "60 tasks wait: 3 replicas within 60 s"),
        (tasks(60, seconds=1.5), there(0, start=5), LATENCY, 2, "2 replicas within 60 s"),
        (
            tasks(60, seconds=1.5),
            there(0, start=None),
            LATENCY,
            1,
            "240 s, since a start takes 120 s",
        ),
        (tasks(60, seconds=1.5, load_seconds=30), there(1), LATENCY, 1, "120 s, since a start"),
        (tasks(60, seconds=1.5, load_seconds=30, load_share=0.5), there(1), LATENCY, 16, "120 s"),
        (
            tasks(40, seconds=2, oldest_seconds=50),
            there(1, start=5),
            LATENCY,
            15,
            "which are left of",
        ),
        (tasks(40, seconds=2, oldest_seconds=999), there(1, start=5), LATENCY, 15, "since a"),
        (tasks(2, seconds=300), there(0), LATENCY, 2, "2 tasks wait: 2 replicas within 60 s"),
        (tasks(1, 1, seconds=40), there(1), LATENCY, 1, "1 task waits, 1 runs: 1 replica within"),
        # Those that start are reckoned with.
        (tasks(60, seconds=1.5), there(3, 0), LATENCY, 3, "60 tasks wait: 3 replicas within 60 s"),
        (tasks(60, seconds=1.5), there(2, 1), LATENCY, 2, "60 tasks wait: 2 replicas within 60 s"),
        # Bounds.
        (tasks(90), there(2), {"maxReplicas": 5}, 5, "10 tasks each, limit reached: maxReplicas 5"),
        (tasks(), there(3), {"maxReplicas": 2}, 2, "limit reached: maxReplicas 2"),
        (tasks(), there(0), {"minReplicas": 2}, 2, "nothing to do, at least 2 by minReplicas"),
        (tasks(), there(2), {"minReplicas": 2}, 2, "nothing to do"),
        (tasks(), there(0), BY_DAY, 3, "nothing to do, at least 3 by schedule"),
        (tasks(), there(0), BY_NIGHT, 0, "nothing to do"),
        (tasks(), there(0), IN_TOKYO, 3, "nothing to do, at least 3 by schedule"),
        # Measurements that are missing.
        (None, there(3), {}, 3, "no measurement: kept at 3"),
        (None, there(0), {}, 0, "no measurement: kept at 0"),
        (None, there(7), {"maxReplicas": 5}, 5, "kept at 7, limit reached: maxReplicas 5"),
        (None, there(0), {"minReplicas": 1}, 1, "kept at 0, at least 1 by minReplicas"),
        # Rates.
        (tasks(200), there(2), PODS, 6, "10 tasks each, 6 for now: scaleUp lets no more come"),
        (tasks(200), there(2), PERCENT, 3, "3 for now: scaleUp lets no more come at once"),
        (tasks(200), there(2), BOTH, 6, "6 for now: scaleUp lets no more come at once"),
        (tasks(200), there(2), LESS, 3, "3 for now: scaleUp lets no more come at once"),
        (tasks(200), there(2), NEVER, 2, "10 tasks each, 2 at most: scaleUp is Disabled"),
        (tasks(200), there(0), PERCENT, 2, "2 for now: scaleUp lets no more come at once"),
        (tasks(200), there(0), NEVER, 1, "10 tasks each, 1 at most: scaleUp is Disabled"),
        (tasks(1), there(10), goes(("Pods", 2)), 8, "kept at 8: scaleDown lets no more go at once"),
        (tasks(1), there(10), goes(("Percent", 25)), 7, "kept at 7: scaleDown lets no more go"),
        (tasks(1), there(10), goes(("Pods", 2), ("Percent", 25)), 7, "kept at 7: scaleDown lets"),
        (
            tasks(1),
            there(10),
            goes(("Pods", 2), ("Percent", 25), selectPolicy="Min"),
            8,
            "kept at 8: scaleDown lets no more go at once",
        ),
        (tasks(1), there(10), goes(selectPolicy="Disabled"), 10, "kept at 10: scaleDown is"),
    ],
)
def test_a_situation_has_its_number_and_its_reason(
    demand: Demand | None, supply: Observed, given: dict[str, Any], wanted: int, reason: str
) -> None:
    decided = decide(demand, supply, rules(**given), Memory(), now=1000, wall=NOON)

    assert (decided.wanted, reason in decided.reason) == (wanted, True), decided.reason


@pytest.mark.parametrize(
    ("position", "supply", "seconds"),
    [
        (0, Supply(wanted=0, start_seconds=30), 30 + 5 + 2),
        (9, Supply(wanted=3, start_seconds=30), 30 + 9 * 2 / 3 + 5 + 2),
        (0, Supply(wanted=1, running=("a",), start_seconds=30), 1 + 5 + 2),
        (9, Supply(wanted=1, running=("a",), start_seconds=30), 1 + 9 * 2 + 5 + 2),
        (49, Supply(wanted=2, running=("a",), start_seconds=30), (1 + 98 + 30) / 2 + 5 + 2),
        (0, Supply(wanted=1), 120 + 5 + 2),
        (0, Supply(wanted=1, starting=1, starting_seconds=90), 30 + 5 + 2),
        (0, Supply(wanted=1, starting=1, starting_seconds=999), 12 + 5 + 2),
    ],
)
def test_the_end_of_a_task_is_estimated(position: int, supply: Supply, seconds: float) -> None:
    running = len(supply.running)
    measured = tasks(50, running, seconds=2, load_seconds=5)

    assert eta(position, measured, supply, rules()) == seconds


def test_no_end_is_estimated_before_a_task_has_ended() -> None:
    assert eta(0, tasks(1), Supply(wanted=1), rules()) is None
