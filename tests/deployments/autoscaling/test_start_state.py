"""State of starting replicas, from what Serve and Ray's autoscaler tell."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import pytest

from deployments.autoscaling.start_state import Nodes, StartState, judged, to_drop
from models.fleet import StartPhase

NOW = 10_000.0
COMES = Nodes(waits=True)
PLACED = Nodes(waits=False)


def deployment(
    *states: str, placed: Sequence[bool] = (), trigger: str = "AUTOSCALING", message: str = ""
) -> Mapping[str, Any]:
    """Describe a deployment as Serve does, with a replica in each of these states."""
    nodes = [{"node_id": "f00"} if is_placed else {} for is_placed in placed]
    replicas = [
        {"actor_name": f"r{n}", "state": state, **(node or {})}
        for n, (state, node) in enumerate(zip_longest(states, nodes))
    ]
    return {
        "status_trigger": trigger,
        "message": message,
        "replicas": replicas,
        "required_resources": {"CPU": 1, "GPU": 0.5, "sdruntime": 0},
    }


def test_a_start_waits_for_a_node_until_one_of_them_has_one() -> None:
    alone = judged(deployment("STARTING", "STARTING"), COMES, NOW)
    one_has = judged(deployment("STARTING", "STARTING", placed=[False, True]), COMES, NOW)

    assert alone == StartState(phase=StartPhase.NODE, settled=False)
    assert one_has == StartState(phase=StartPhase.REPLICA, settled=False)


def test_a_process_that_is_about_to_begin_waits_for_no_node() -> None:
    assert judged(deployment("STARTING"), PLACED, NOW).phase == StartPhase.REPLICA


def test_replicas_that_run_or_end_tasks_are_no_start() -> None:
    assert (
        judged(deployment("RUNNING", "STOPPING", placed=[True, True]), COMES, NOW) == StartState()
    )


def test_one_that_was_to_start_and_is_to_stop_is_not_settled() -> None:
    assert judged(deployment("STOPPING"), COMES, NOW) == StartState(settled=False)


@pytest.mark.parametrize(
    ("state", "placed", "waited", "dropped", "waits"),
    [
        ("STARTING", False, False, False, True),
        ("STARTING", True, True, False, False),
        ("STOPPING", False, True, True, True),
        ("STOPPING", False, False, False, False),  # the controller does not know yet where it is
        ("STOPPING", True, True, False, False),
        ("RECOVERING", False, False, False, False),
        ("RUNNING", False, True, False, True),
        ("RUNNING", True, True, False, False),
    ],
)
def test_only_what_was_seen_to_wait_for_a_node_is_dropped(
    state: str, placed: bool, waited: bool, dropped: bool, waits: bool
) -> None:
    replicas = deployment(state, placed=[placed])["replicas"]

    names, waiting = to_drop(replicas, {"r0", "gone"} if waited else set())

    assert (names, waiting) == ({"r0"} if dropped else set(), {"r0"} if waits else set())


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        (Nodes(waits=True, autoscaled=False), "no node has room for it: it needs 1 CPU, 0.5 GPU"),
        (Nodes(waits=True, exhausted=True), "limit reached: no further node may be started for it"),
        (Nodes(waits=True, exhausted=True, requested=[NOW - 5]), None),
        (
            Nodes(waits=True, failures={NOW - 500: "first", NOW - 20: "Trace\nno Spot capacity"}),
            "a node was not started: no Spot capacity",
        ),
        (Nodes(waits=True, failures={NOW - 700: "long ago"}), None),
        (Nodes(waits=True, requested=[NOW - 20]), None),
        (
            Nodes(waits=True, requested=[NOW - 20, NOW - 420]),
            "a node was asked for 7 minutes ago: there may be no capacity",
        ),
    ],
)
def test_what_keeps_a_node_from_coming_is_told(nodes: Nodes, why: str | None) -> None:
    assert judged(deployment("STARTING"), nodes, NOW).obstacle == why


def test_a_failed_start_is_told_by_its_last_line_and_serve_may_try_again() -> None:
    failed = deployment(
        "STARTING",
        trigger="REPLICA_STARTUP_FAILED",
        message="failed 3 times\nTraceback\nRuntimeError: no such checkpoint: x\n",
    )

    found = judged(failed, PLACED, NOW)

    assert found.failure == "a replica did not start: RuntimeError: no such checkpoint: x"
    assert not found.given_up


def test_serve_has_given_up_where_it_failed_and_starts_none() -> None:
    failed = deployment(trigger="REPLICA_STARTUP_FAILED", message="KeyError: 1")

    found = judged(failed, PLACED, NOW)

    assert (found.given_up, found.settled, found.phase) == (True, True, None)


@pytest.mark.parametrize(
    ("states", "given_up"),
    [
        (["STOPPING"], True),
        (["RUNNING"], False),
        (["RUNNING", "STOPPING"], False),
        (["PENDING_MIGRATION"], False),
        (["UPDATING"], False),
        (["RECOVERING"], False),
    ],
)
def test_an_update_that_failed_is_not_given_up_while_a_replica_from_before_it_is_there(
    states: Sequence[str], given_up: bool
) -> None:
    failed = deployment(
        *states, placed=[True] * len(states), trigger="REPLICA_STARTUP_FAILED", message="KeyError"
    )

    found = judged(failed, PLACED, NOW)

    assert (found.given_up, found.failure) == (given_up, "a replica did not start: KeyError")
