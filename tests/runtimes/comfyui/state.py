"""State of the double, and its faults."""

from dataclasses import dataclass, field
from typing import Any

from tests.runtimes.comfyui.nodes import JsonObject


@dataclass
class Faults:
    """Faults of the double, until they are taken back."""

    deaf: bool = False
    """The socket says nothing of prompts."""
    metadata: bool = True
    """`True` if previews name their prompt, for clients that asked."""
    lose_socket_at: str | None = None
    """The node before which all sockets are closed, once."""
    late_history: float = 0
    """Seconds from the last message to the history."""
    hold_trailers: bool = False
    """The last messages of a prompt come with the next one's first."""
    own_ids: bool = False
    """A prompt's id is the server's, whatever was asked for."""
    slow_to_take: float = 0
    """Seconds in which a prompt is checked."""
    disobedient: bool = False
    """An interrupt is not heeded."""
    forgetful: bool = False
    """Results that are kept for later prompts have no outputs."""
    errors: list[tuple[str, str]] = field(default_factory=list)
    """Exceptions of the next nodes that raise: type and message."""
    status: int = 200
    """Status of the answer to ``POST /prompt``."""


@dataclass
class State:
    """State of the double, which a test may read and change."""

    faults: Faults = field(default_factory=Faults)
    node_seconds: float = 0.002
    slow_seconds: float = 0.02
    """Seconds of a step, and of a slow node."""
    checkpoints: list[str] = field(default_factory=lambda: ["first.safetensors"])
    asked: list[tuple[str, Any]] = field(default_factory=list)
    """POST requests: path and body, or the form of an upload."""
    files: dict[tuple[str, str, str], bytes] = field(default_factory=dict)
    """Files by place (``input``, ``output``, ``temp``), folder and name."""
    history: dict[str, JsonObject] = field(default_factory=dict)
    pending: list[JsonObject] = field(default_factory=list)
    running: list[JsonObject] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    """Names of the nodes that were run, cached ones not."""
    freed: int = 0


def item(prompt: JsonObject) -> list[Any]:
    """Show a prompt as queue and history do."""
    return [0, prompt["id"], prompt["graph"], {"client_id": prompt["of"]}, prompt["ends"]]
