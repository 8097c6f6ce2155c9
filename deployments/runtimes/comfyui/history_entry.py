"""Entry of ComfyUI's history: the truth about a prompt that has ended, whatever the socket said."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class HistoryEntry:
    """Entry of one prompt."""

    entry: Mapping[str, Any]

    @property
    def outputs(self) -> Mapping[str, Mapping[str, Any]]:
        """Outputs of its nodes, by node, then by kind (``images``, ``gifs``, ``text`` …)."""
        outputs = self.entry.get("outputs") or {}
        return {name: given for name, given in outputs.items() if isinstance(given, dict)}

    @property
    def error(self) -> Mapping[str, Any] | None:
        """Message of a failed node.

        A cycle in the graph is told here while the status says "success".
        """
        return self._message("execution_error")

    @property
    def is_interrupted(self) -> bool:
        """Tell whether the prompt was interrupted; its status is the one of a failure."""
        return self._message("execution_interrupted") is not None

    @property
    def is_failed(self) -> bool:
        """Tell whether the status is another than success."""
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
