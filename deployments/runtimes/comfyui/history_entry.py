"""What ComfyUI's history says of a prompt that has ended: the truth, whatever the socket said."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class HistoryEntry:
    """One entry of the history."""

    entry: Mapping[str, Any]

    @property
    def outputs(self) -> Mapping[str, Mapping[str, Any]]:
        """What its nodes gave, by node, then by kind (``images``, ``gifs``, ``text`` …)."""
        outputs = self.entry.get("outputs") or {}
        return {name: given for name, given in outputs.items() if isinstance(given, dict)}

    @property
    def error(self) -> Mapping[str, Any] | None:
        """What a failed node said.

        A cycle in the graph is told here while the status says "success".
        """
        return self._message("execution_error")

    @property
    def is_interrupted(self) -> bool:
        # The status is the one of a failure; only this message tells.
        return self._message("execution_interrupted") is not None

    @property
    def is_failed(self) -> bool:
        return bool(self._status.get("status_str", "success") != "success")

    @property
    def cached(self) -> set[str]:
        """Nodes that were not run: their outputs are those of an earlier prompt."""
        return set((self._message("execution_cached") or {}).get("nodes") or ())

    @property
    def _status(self) -> Mapping[str, Any]:
        return self.entry.get("status") or {}

    def _message(self, kind: str) -> Mapping[str, Any] | None:
        for name, data in self._status.get("messages") or ():
            if name == kind and isinstance(data, dict):
                return data
        return None
