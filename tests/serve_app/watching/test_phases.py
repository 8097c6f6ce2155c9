"""Phases of a queued task are told in words."""

import pytest

from models.fleet import StartPhase, Supply
from serve_app.watching.phases import queued_phase, why_slow


@pytest.mark.parametrize(
    ("position", "phase"),
    [
        (0, "1st in the queue"),
        (1, "2nd in the queue"),
        (2, "3rd in the queue"),
        (3, "4th in the queue"),
        (10, "11th in the queue"),
        (11, "12th in the queue"),
        (20, "21st in the queue"),
        (112, "113th in the queue"),
        (None, None),
    ],
)
def test_a_place_in_the_queue_is_an_ordinal(position: int | None, phase: str | None) -> None:
    assert queued_phase(position, None) == phase
    assert queued_phase(position, Supply(wanted=1, running=("r1",))) == phase


def test_a_start_is_told_also_where_the_place_is_not_known() -> None:
    node = Supply(wanted=1, starting=1, phase=StartPhase.NODE)

    assert queued_phase(None, node) == "waiting for a node"


def test_a_task_waits_for_a_replica_before_one_is_wanted() -> None:
    assert queued_phase(0, Supply(wanted=0)) == "waiting for a replica"
    assert queued_phase(None, Supply(wanted=0)) == "waiting for a replica"


def test_an_obstacle_is_the_reason_rather_than_a_limit() -> None:
    limited = Supply(wanted=2, reason="9 tasks wait, limit reached: maxReplicas 2")
    blocked = Supply(wanted=2, reason=limited.reason, obstacle="no Spot capacity")

    assert why_slow(limited) == "limit reached: maxReplicas 2"
    assert why_slow(blocked) == "no Spot capacity"
    assert why_slow(Supply(wanted=1, reason="1 task waits")) is None
