"""Scaling policy in any situation: what must hold whatever is measured and set."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from hypothesis import assume, given, strategies as st

from deployments.scaling import Decision, Memory, Observed, decide, eta
from models.fleet import Demand, Supply
from models.settings.scaling import Scaling
from tests.deployments.scaling.cases import NOON

Given = st.SearchStrategy[dict[str, Any]]
finite = st.floats(allow_nan=False, allow_infinity=False)
anything = st.floats()
"""Numbers, infinities, and what is no number."""
seconds = st.none() | st.floats(0, 1e4)
numbers = st.integers(0, 60)
policies: Given = st.builds(
    dict,
    type=st.sampled_from(["Pods", "Percent"]),
    value=st.integers(1, 300),
    periodSeconds=st.integers(1, 1800),
)
rates: Given = st.builds(
    dict,
    stabilizationWindowSeconds=st.integers(0, 3600),
    selectPolicy=st.sampled_from(["Max", "Min", "Disabled"]),
    policies=st.lists(policies, max_size=3),
)
hours: Given = st.builds(
    dict,
    start=st.sampled_from(["0 8 * * *", "5/7 * * * *", "0 0 29 2 *"]),
    end=st.sampled_from(["0 18 * * 1-5", "3 * * * *"]),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Kiritimati"]),
)


@st.composite
def rules(draw: st.DrawFn, *, rate: Given = rates) -> Scaling:
    least = draw(st.integers(0, 20))
    most = draw(st.integers(max(least, 1), 40))
    windows = draw(st.lists(hours, max_size=2))
    return Scaling.model_validate(
        {
            "minReplicas": least,
            "maxReplicas": most,
            "queueLength": draw(st.integers(1, 30)),
            "targetLatencySeconds": draw(st.none() | st.floats(0.1, 1e4)),
            "cooldownSeconds": draw(st.floats(0, 1000)),
            "scaleOnInFlight": draw(st.booleans()),
            "scaleUp": draw(rate),
            "scaleDown": draw(rate),
            "schedule": [each | {"minReplicas": draw(st.integers(0, most))} for each in windows],
        }
    )


demands = st.builds(
    Demand,
    waiting=numbers,
    running=numbers,
    oldest_seconds=st.floats(0, 1e4),
    seconds=seconds,
    load_seconds=seconds,
    load_share=st.floats(0, 1),
)
observed = st.builds(Observed, target=numbers, running=numbers, start_seconds=seconds)
looks = st.lists(
    st.tuples(st.none() | demands, observed, st.floats(0, 500)), min_size=1, max_size=6
)
impossible = st.builds(
    Demand,
    waiting=st.integers() | st.just(10**400),
    running=st.integers() | st.just(10**400),
    oldest_seconds=anything,
    seconds=st.none() | anything,
    load_seconds=st.none() | anything,
    load_share=anything,
)
Looks = list[tuple[Demand | None, Observed, float]]


def remembered(before: Looks, given_rules: Scaling) -> tuple[Memory, float]:
    """Memory after some looks, and the moment of the last."""
    memory, now = Memory(), 0.0
    for demand, supply, passed in before:
        now += passed
        memory = decide(demand, supply, given_rules, memory, now=now, wall=NOON).memory
    return memory, now


@given(rules(), looks, st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001
def test_the_number_is_within_the_bounds_and_has_a_reason(
    given_rules: Scaling, before: Looks, wall: datetime
) -> None:
    memory, now = remembered(before[:-1], given_rules)
    demand, supply, passed = before[-1]
    decided = decide(
        demand, supply, given_rules, memory, now=now + passed, wall=wall.replace(tzinfo=UTC)
    )
    least, most = given_rules.min_replicas, given_rules.max_replicas

    assert least is not None
    assert most is not None
    assert least <= decided.wanted <= most
    assert decided.reason


@given(rules(), looks, demands, observed, st.integers(0, 1000))
def test_more_tasks_that_wait_never_ask_for_fewer(
    given_rules: Scaling, before: Looks, demand: Demand, supply: Observed, more: int
) -> None:
    memory, now = remembered(before, given_rules)

    def wanted(waiting: int) -> int:
        asked = replace(demand, waiting=waiting)
        return decide(asked, supply, given_rules, memory, now=now + 1, wall=NOON).wanted

    assert wanted(demand.waiting) <= wanted(demand.waiting + more)


@given(rules(), looks, demands, observed, st.floats(0, 1e4))
def test_older_tasks_never_ask_for_fewer(
    given_rules: Scaling, before: Looks, demand: Demand, supply: Observed, older: float
) -> None:
    memory, now = remembered(before, given_rules)

    def wanted(age: float) -> int:
        asked = replace(demand, oldest_seconds=age)
        return decide(asked, supply, given_rules, memory, now=now + 1, wall=NOON).wanted

    assert wanted(demand.oldest_seconds) <= wanted(demand.oldest_seconds + older)


@given(rules(), looks, observed)
def test_without_a_measurement_all_stays_within_the_bounds(
    given_rules: Scaling, before: Looks, supply: Observed
) -> None:
    memory, now = remembered(before, given_rules)
    bounds = given_rules.model_copy(update={"schedule": ()})
    decided = decide(None, supply, bounds, memory, now=now + 1, wall=NOON)
    least, most = bounds.min_replicas or 0, bounds.max_replicas or 1

    assert decided.wanted == min(max(supply.target, least), most)


@given(rules(), looks)
def test_zero_stays_zero_without_a_task(given_rules: Scaling, before: Looks) -> None:
    bounds = given_rules.model_copy(update={"min_replicas": 0, "schedule": ()})
    memory, now = remembered(before, bounds)
    for later in range(1, 400, 7):
        decided = decide(
            Demand(waiting=0, running=0),
            Observed(target=0),
            bounds,
            memory,
            now=now + later,
            wall=NOON,
        )
        memory = decided.memory
        assert decided.wanted == 0


@given(rules(), demands, numbers, st.floats(0, 300))
def test_a_constant_demand_never_flaps(
    given_rules: Scaling, demand: Demand, target: int, start: float
) -> None:
    """Once it went down it never goes up, nor the other way round, as long as nothing changes."""
    bounds = given_rules.model_copy(update={"schedule": ()})
    wanted, memory = [target], Memory()
    for look in range(200):
        supply = Observed(target=wanted[-1], running=wanted[-1], start_seconds=start)
        decided = decide(demand, supply, bounds, memory, now=look * 10.0, wall=NOON)
        memory = decided.memory
        wanted.append(decided.wanted)
    steps = [later - sooner for sooner, later in pairwise(wanted[1:])]

    assert all(step >= 0 for step in steps) or all(step <= 0 for step in steps), wanted


@given(
    rules(),
    st.lists(
        st.tuples(
            st.none() | impossible,
            st.builds(
                Observed,
                target=st.integers(0, 10_000),
                running=st.integers(0, 10_000),
                start_seconds=st.none() | anything,
            ),
            finite,
        ),
        max_size=5,
    ),
)
def test_no_measurement_makes_it_raise(given_rules: Scaling, looks: Looks) -> None:
    memory = Memory()
    for demand, supply, now in looks:
        decided: Decision = decide(demand, supply, given_rules, memory, now=now, wall=NOON)
        memory = decided.memory
        assert decided.wanted <= (given_rules.max_replicas or 0)


@given(
    st.integers(-1, 1000),
    impossible,
    st.builds(
        Supply,
        wanted=numbers,
        running=st.lists(st.just("a"), max_size=3).map(tuple),
        starting_seconds=anything,
        start_seconds=st.none() | anything,
    ),
    rules(),
)
def test_an_estimate_is_a_number_whatever_is_measured(
    position: int, demand: Demand, supply: Supply, given_rules: Scaling
) -> None:
    seconds = eta(position, demand, supply, given_rules)

    assert seconds is None or 0 <= seconds < math.inf


@given(rules(), st.lists(demands, min_size=20, max_size=20))
def test_what_is_remembered_stays_small(given_rules: Scaling, changing: list[Demand]) -> None:
    """A memory of 4,000 looks that change all the time holds no more than a few numbers."""
    assume(given_rules.max_replicas)
    memory, target = Memory(), 0
    for look in range(400):
        supply = Observed(target=target, running=target)
        demand = changing[look % len(changing)]
        decided = decide(demand, supply, given_rules, memory, now=look / 10, wall=NOON)
        memory, target = decided.memory, decided.wanted

    assert len(memory.highest) + len(memory.lowest) <= 2 * 61
    assert len(memory.changes) <= 2 * (400 / 10 + 1)
    assert len(memory.starts) <= 40
