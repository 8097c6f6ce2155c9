"""Links between the nodes of a graph."""

from typing import Any


def taken_from(value: Any) -> str | None:
    """Return the id of the node that an input is taken from; None for a value of its own."""
    match value:
        # ComfyUI, too, takes an id and a number for a link, and any other list for a value.
        case [str(node), int() | float() as slot] if not isinstance(slot, bool):
            return node
    return None
