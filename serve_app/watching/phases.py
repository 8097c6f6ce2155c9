"""Phases of a task that has not ended, and why one takes long, in words that people understand."""

from models.fleet import LIMIT_REACHED, StartPhase, Supply

_NO_REPLICA = "waiting for a replica"


def queued_phase(position: int | None, supply: Supply | None) -> str | None:
    """Say what a queued task waits for: a replica, else its turn; None if not known.

    ``position``: number of the tasks before it.
    """
    if supply and not supply.running:
        return (supply.phase or StartPhase.REPLICA).value if supply.starting else _NO_REPLICA
    return None if position is None else f"{_ordinal(position + 1)} in the queue"


def why_slow(supply: Supply) -> str | None:
    """Say what keeps a runtime from having more replicas; None if nothing is known to."""
    # Without the numbers before it, which change while a task waits.
    _, limited, which = supply.reason.partition(LIMIT_REACHED)
    return supply.obstacle or f"{limited}{which}" or None


def _ordinal(number: int) -> str:
    teens = number % 100 in {11, 12, 13}
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
