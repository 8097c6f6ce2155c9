"""Nodes follow replicas, and replicas the queue: Ray's own autoscaler decides, on fake nodes.

A fleet for all, which begins and ends with nothing: `make test-scale`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bench.fake_cluster.platform import running_fleet
from bench.scale import RUNTIME, fleet_settings
from bench.scaling.figures import figures
from bench.scaling.observer import Observer
from bench.scaling.scenarios import (
    LATE,
    NOTICE_SECONDS,
    Outcome,
    Setup,
    busy_node,
    end_with_nothing,
    from_zero,
    played,
)

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

SETUP = Setup(
    tasks=8,
    gpu_seconds=2,
    load_seconds=0.5,
    most_replicas=2,
    queue_length=3,
    target_seconds=None,  # else what is wanted would hang on how long a start takes
    cooldown_seconds=6,
    idle_seconds=3,
)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Log of the simulated GPUs."""
    return tmp_path_factory.mktemp("scale") / "gpu.log"


@pytest.fixture(scope="module")
def watch(log: Path) -> Iterator[Observer]:
    with running_fleet(fleet_settings(SETUP, log)) as fleet, Observer(fleet, RUNTIME) as watch:
        yield watch


@pytest.fixture(scope="module")
def quiet(watch: Observer) -> Outcome:
    """Outcome of a burst at zero that nothing disturbs."""
    return played("from zero", from_zero, watch, SETUP)


@pytest.fixture(scope="module")
def troubled(watch: Observer, quiet: Outcome) -> Outcome:
    """Outcome of a burst without Spot, with a node killed and later one drained."""
    del quiet  # it is first: Ray leaves Spot alone for minutes once it was asked in vain
    return played("troubled", _trouble, watch, SETUP)


def _trouble(watch: Observer, setup: Setup) -> None:
    watch.fleet.cluster.refuse(watch.spot)
    watch.publish(2 * setup.tasks, "troubled")
    dead = busy_node(watch)
    watch.fleet.cluster.kill(dead)
    watch.until("its end", lambda _: dead not in watch.fleet.cluster.nodes(), LATE)
    watch.fleet.cluster.drain(busy_node(watch), NOTICE_SECONDS)
    end_with_nothing(watch)


def test_a_burst_at_zero_starts_replicas_first_and_then_nodes_for_them(
    quiet: Outcome, log: Path
) -> None:
    found = figures(quiet, SETUP, log)

    assert found.target_set < found.node_launched < found.running < found.first_picture
    assert found.replicas_most == SETUP.most_replicas


def test_when_all_is_done_all_goes_and_nothing_starts_again(quiet: Outcome, log: Path) -> None:
    found = figures(quiet, SETUP, log)

    assert quiet.samples[-1].is_empty
    assert found.needless == 0
    assert found.held < SETUP.most_replicas * (quiet.samples[-1].at - quiet.samples[0].at)


def test_spot_comes_first(quiet: Outcome) -> None:
    assert _launched(quiet) == {f"{RUNTIME}-spot": SETUP.most_replicas}


def test_on_demand_comes_where_spot_was_asked_in_vain(troubled: Outcome) -> None:
    assert {entry.group for entry in troubled.bill if entry.what == "refused"} == {
        f"{RUNTIME}-spot"
    }
    assert _launched(troubled).keys() == {f"{RUNTIME}-on-demand"}


def test_every_task_is_told_once(quiet: Outcome, troubled: Outcome) -> None:
    for outcome in (quiet, troubled):
        told = Counter((one.task, one.status) for one in outcome.told)

        assert told == {(task, "completed"): 1 for task in outcome.published}


def test_a_killed_node_costs_the_task_it_ran_an_attempt_and_a_notice_costs_none(
    quiet: Outcome, troubled: Outcome
) -> None:
    assert set(quiet.attempts.values()) == {1}
    assert Counter(troubled.attempts.values()) == {1: 2 * SETUP.tasks - 1, 2: 1}


def test_the_limits_are_never_passed(quiet: Outcome, troubled: Outcome) -> None:
    for outcome, most in (quiet, SETUP.most_replicas), (troubled, SETUP.most_replicas + 1):
        for sample in outcome.samples:
            assert sample.wanted <= SETUP.most_replicas
            assert sample.running <= SETUP.most_replicas
            # Ray counts a node no more that has its notice, and starts another while it is there.
            assert sample.nodes <= most


def _launched(outcome: Outcome) -> Mapping[str, int]:
    return Counter(entry.group for entry in outcome.bill if entry.what == "launched")
