"""Links between nodes: a slot is a whole number, an id is a text, and other lists are values."""

from typing import Any

import pytest

from models.runtimes import TYPES
from models.runtimes.content import shown
from tests.models.runtimes.corpus import node, options


def faults(value: Any) -> dict[str, str]:
    graph = {"1": node("Source"), "2": node("Taker", x=value), "-3": node("Source")}
    found = TYPES["comfyui"].faults("pipeline", graph, options("comfyui"))
    return {each.field: each.message for each in found}


@pytest.mark.parametrize(
    "slot", [-1, 0.5, 0.0, 1e300, "0", " 1 ", "-1", "0.5", True, False, None, [], {}]
)
def test_a_slot_that_is_no_whole_number_from_0_is_refused_with_node_and_field(slot: Any) -> None:
    found = faults(["1", slot])

    assert found.keys() == {"2.inputs.x"}
    assert f"is taken from slot {shown(slot)} of node '1'" in found["2.inputs.x"]
    assert "whole number from 0" in found["2.inputs.x"]


@pytest.mark.parametrize("value", [[1, 0], [1, 99], [1, "0"], [-3, 0]])
def test_an_id_that_is_a_number_is_refused_with_what_to_write(value: Any) -> None:
    assert faults(value) == {
        "2.inputs.x": f"names node {value[0]} by a number: write its id as a text, as in"
        f' ["{value[0]}", 0]'
    }


@pytest.mark.parametrize(
    "value",
    [
        *(["1", 0], ["1", 99], ["1", "first"], ["1", ""], ["9", "0"], ["9", None], ["9", True]),
        *([1], [1, 0, 0], ["1"], ["1", 0, 0], [9, 0], [2, 0], [1, 0.5], [1.0, 0], [1, -1]),
        *([True, 0], [True, "0"], [None, 0], [1, None], [10**5000, 0], [[1, 0], 0], [], {"a": [1]}),
    ],
)
def test_what_comfyui_may_take_as_a_link_or_a_value_is_right(value: Any) -> None:
    assert faults(value) == {}
