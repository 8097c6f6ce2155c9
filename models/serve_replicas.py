"""Figures of the Serve replicas that need no GPU: those of the HTTP ingress and of ingest.

Whoever deploys the replicas and whoever checks the pods that they run in read them here.
"""

from decimal import Decimal

# A decimal, since its multiples are compared: as a float three of them are more than 0.3.
CPUS = Decimal("0.1")
"""CPUs that Ray reserves for a replica of the ingress or of ingest."""

_MARGIN_SECONDS = 5


def ingest_shutdown_seconds(drain_seconds: float) -> float:
    """Return the longest that ingest may take to shut down: two drains, and a margin.

    It waits for tasks that end within a drain, then as long again for handing the others back.
    """
    return 2 * drain_seconds + _MARGIN_SECONDS
