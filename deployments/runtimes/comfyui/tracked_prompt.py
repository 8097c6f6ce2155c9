"""Prompt in ComfyUI as the socket tells of it; hints only, for the history is the truth.

Messages that were lost while the socket was away are not repeated.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from deployments.runtimes.comfyui.graph import Graph
from deployments.runtimes.comfyui.graph_progress import GraphProgress
from deployments.runtimes.comfyui.history_entry import HistoryEntry
from models.report import Progress


class TrackedPrompt:
    """Follows one prompt from before it is sent to its end; times are monotonic, in seconds."""

    def __init__(self, graph: Graph, progress: GraphProgress) -> None:
        self.graph = graph
        self.progress = progress
        self.id = str(uuid4())
        """Id of the prompt, new for each attempt: a UUID, the only form that all versions take."""
        self.changed = asyncio.Event()
        self.messages = 0
        """Number of messages about it."""
        self.last_message = self.last_answer = time.monotonic()
        """Times at which the socket, and a request, last told of it."""
        self.has_ended = False
        self.history: HistoryEntry | None = None
        self.preview: bytes | None = None
        """Newest picture from within a sampler."""
        self.node_images: dict[str, list[bytes]] = {}
        """Pictures that nodes sent over the socket, by node."""
        self.refusal: str | None = None
        """Message of a node that refused to run; such a prompt ends as a success."""
        self._node: str | None = None
        self._was_away = False
        """Set if the socket was away since it told of the running node."""
        self._complete: set[str] = set()
        """Nodes whose pictures have all come."""

    @property
    def is_over(self) -> bool:
        """Tell whether the prompt has ended, by the socket or by the history."""
        return self.has_ended or self.history is not None

    @property
    def is_incomplete(self) -> bool:
        """Tell whether pictures that nodes sent over the socket may be missing."""
        return not self.graph.senders <= self._complete

    def take_message(self, kind: str, data: Mapping[str, Any]) -> None:
        """Take a message of the socket about this prompt."""
        self._note_message()
        self.changed.set()
        match kind, data:
            case "execution_cached", {"nodes": [*nodes]}:
                for node in nodes:
                    self.progress.reach(node, 1)
            # The last message about a prompt, after success, failure and interruption alike.
            case "executing", {"node": None}:
                self._leave()
                self.has_ended = True
            case "executing", {"node": str(node)}:
                self._leave()
                self._node, self._was_away = node, False
            case "progress", {"node": str(node), "value": int() | float(), "max": int() | float()}:
                self.progress.reach(node, data["value"] / (data["max"] or 1))
            case "execution_error", {"exception_message": str(message)}:
                self.refusal = message

    def take_image(self, image: bytes, node: str | None) -> None:
        """Take a picture; only newer versions of ComfyUI say of which node it is."""
        node = node or self._node
        if node is None:  # a late message of the prompt before
            return
        self._note_message()
        if self.graph.sends(node):
            self.node_images.setdefault(node, []).append(image)
        else:
            self.preview = image

    def advance(self, *, previews: bool) -> Progress | None:
        """Return the progress; None if it is no further than was returned before."""
        step = self.progress.advance()
        if step is None:
            return None
        preview, self.preview = self.preview if previews else None, None
        return Progress(step=step, of=self.progress.total, preview=preview)

    def note_disconnect(self) -> None:
        """Note that the socket was away."""
        self._was_away = True
        self.changed.set()

    def _note_message(self) -> None:
        self.messages += 1
        self.last_message = time.monotonic()

    def _leave(self) -> None:
        if self._node is not None:
            self.progress.reach(self._node, 1)
            if not self._was_away:
                self._complete.add(self._node)
