"""Links between the nodes of a graph."""

import re
from collections.abc import Container
from typing import Any

from models.runtimes.content import shown

_NUMBER = re.compile(r"\s*[+-]?\d+(?:\.\d*)?\s*")


def taken_from(value: Any) -> str | None:
    """Return the id of the node that an input is taken from; None for a value of its own."""
    match value:
        # ComfyUI, too, takes an id and a number for a link, and any other list for a value.
        case [str(node), int() | float() as slot] if not isinstance(slot, bool):
            return node
    return None


def link_mistake(value: Any, taker: str, nodes: Container[str]) -> str | None:
    """Say what is wrong with a link to one of these nodes; None for a right one, or none at all.

    Pairs of numbers and of texts may be values as well: a number in an id's place counts if a whole
    one stands in the slot's and it is another node's than the taker's, a text in a slot's place if
    it is a number's. Which slots a node has its class alone knows.
    """
    match value:
        case [bool(), _]:
            return None
        case [str(node), slot] if node in nodes and not _is_slot(slot):
            if isinstance(slot, str) and not _is_number_text(slot):
                return None
            return (
                f"is taken from slot {shown(slot)} of node {shown(node)}: a slot is a whole number"
                " from 0 on, written without quotes"
            )
        case [int(number), slot] if _is_slot(slot) or _is_number_text(slot):
            node = shown(number)
            if node in nodes and node != taker:
                return f'names node {node} by a number: write its id as a text, as in ["{node}", 0]'
    return None


def _is_slot(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_number_text(value: Any) -> bool:
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None
