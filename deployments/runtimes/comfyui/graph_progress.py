"""Progress of a graph: nodes done and steps within them, as one number that only rises."""

from collections.abc import Mapping


class GraphProgress:
    """Counts the steps that are done of a total that is known from the start."""

    def __init__(self, weights: Mapping[str, int]) -> None:
        self.total = sum(weights.values())
        self._weights = weights
        self._reached = dict.fromkeys(weights, 0)
        self._newest = -1

    def reach(self, node: str, share: float) -> None:
        """Note that a share of a node is done, from 0 to 1; other graphs' nodes do not count."""
        if node in self._reached:
            done = int(self._weights[node] * min(max(share, 0.0), 1.0))
            # A node may count several times from 0.
            self._reached[node] = max(self._reached[node], done)

    def finish(self) -> None:
        """Note that every node is done."""
        self._reached = dict(self._weights)

    def advance(self) -> int | None:
        """Return the steps that are done; None if that is no more than was returned before."""
        now = sum(self._reached.values())
        if now <= self._newest:
            return None
        self._newest = now
        return now
