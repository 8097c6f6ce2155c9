"""One prompt as the socket tells of it. These are hints: whatever is lost here, history knows."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from deployments.runtimes.comfyui.graph import Graph
from deployments.runtimes.comfyui.graph_progress import GraphProgress
from deployments.runtimes.comfyui.history_entry import HistoryEntry
from models.progress import Progress


class TrackedPrompt:
    """Follows one prompt from before it is sent to its end."""

    def __init__(self, graph: Graph, course: GraphProgress) -> None:
        self.graph = graph
        self.course = course
        self.prompt = str(uuid4())
        """Its id: a new one for each attempt, in the only form that all versions take."""
        self.changed = asyncio.Event()
        self.heard = 0
        """How many messages there were of it."""
        self.spoken = self.answered = time.monotonic()
        """When the socket, and when a request, last told of it."""
        self.told_end = False
        self.record: HistoryEntry | None = None
        self.preview: bytes | None = None
        """The latest picture from within a sampler."""
        self.sent: dict[str, list[bytes]] = {}
        """Pictures that nodes sent over the socket, by node."""
        self.blocked: str | None = None
        """What a node said that refused to run; such a prompt ends as a success."""
        self._node: str | None = None
        self._gap = False
        """Whether the socket was away since it told of the node."""
        self._whole: set[str] = set()
        """Nodes of which nothing is missing."""

    @property
    def is_over(self) -> bool:
        return self.told_end or self.record is not None

    @property
    def is_incomplete(self) -> bool:
        """Whether pictures that nodes sent over the socket may be missing."""
        return not self.graph.senders <= self._whole

    def hear(self, kind: str, data: Mapping[str, Any]) -> None:
        """Take a message of this prompt."""
        self._note()
        self.changed.set()
        match kind, data:
            case "execution_cached", {"nodes": [*nodes]}:
                for node in nodes:
                    self.course.reach(node, 1)
            case "executing", {"node": None}:
                self._leave()
                self.told_end = True
            case "executing", {"node": str(node)}:
                self._leave()
                self._node, self._gap = node, False
            case "progress", {"node": str(node), "value": int() | float(), "max": int() | float()}:
                self.course.reach(node, data["value"] / (data["max"] or 1))
            case "execution_error", {"exception_message": str(message)}:
                self.blocked = message

    def see(self, image: bytes, node: str | None) -> None:
        """Take a picture; only newer versions say of which node it is."""
        node = node or self._node
        if node is None:  # a trailer of the prompt before
            return
        self._note()
        if self.graph.sends(node):
            self.sent.setdefault(node, []).append(image)
        else:
            self.preview = image

    def told(self, *, previews: bool) -> Progress | None:
        """How far it is, where that is further than was told before."""
        step = self.course.risen()
        if step is None:
            return None
        preview, self.preview = self.preview if previews else None, None
        return Progress(step=step, of=self.course.of, preview=preview)

    def lose(self) -> None:
        """The socket was away."""
        self._gap = True
        self.changed.set()

    def _note(self) -> None:
        self.heard += 1
        self.spoken = time.monotonic()

    def _leave(self) -> None:
        if self._node is not None:
            self.course.reach(self._node, 1)
            if not self._gap:
                self._whole.add(self._node)
