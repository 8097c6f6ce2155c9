"""World of a simulation: how long nodes and replicas take to start, and what interrupts them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class World:
    """Parameters that are the same for every policy; times in seconds."""

    boot_seconds: float = 75
    """Seconds from asking for a node to its being ready."""
    pull_seconds: float = 45
    """Seconds that a new node takes to pull the image."""
    start_seconds: float = 10
    """Seconds from a node with the image to a replica that takes tasks."""
    jitter: float = 0.2
    """Share by which each of these times may be shorter or longer."""
    load_seconds: float = 8
    """Seconds that a replica takes to load another checkpoint."""
    spot_share: float = 0.9
    """Share of the nodes that Spot has; the others are on demand."""
    interruptions: float = 0.02
    """Interruptions of a Spot node in an hour."""
    notice_seconds: float = 120
    """Seconds from the notice of an interruption to the node's end."""
