"""How far a graph is: nodes done and steps within them, as one number that only rises."""

from collections.abc import Mapping


class GraphProgress:
    """Counts what is reached against a total that is known from the start."""

    def __init__(self, weights: Mapping[str, int]) -> None:
        self.of = sum(weights.values())
        self._weights = weights
        self._reached = dict.fromkeys(weights, 0)
        self._told = -1

    def reach(self, node: str, part: float) -> None:
        """So much of a node is done, from 0 to 1; what is no node of the graph does not count."""
        if node in self._reached:
            done = int(self._weights[node] * min(max(part, 0.0), 1.0))
            self._reached[node] = max(self._reached[node], done)

    def finish(self) -> None:
        self._reached = dict(self._weights)

    def risen(self) -> int | None:
        """How far it is, where that is further than was told before."""
        now = sum(self._reached.values())
        if now <= self._told:
            return None
        self._told = now
        return now
