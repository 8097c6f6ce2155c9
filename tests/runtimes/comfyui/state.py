"""What the double is at a time, and what goes wrong with it."""

from dataclasses import dataclass, field
from typing import Any

from tests.runtimes.comfyui.nodes import JsonObject


@dataclass
class Faults:
    """What goes wrong, until it is taken back."""

    deaf: bool = False
    """The socket says nothing of prompts."""
    metadata: bool = True
    """Whether previews say of which prompt they are, to those who asked."""
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
    """What is kept for later prompts has no outputs."""
    errors: list[tuple[str, str]] = field(default_factory=list)
    """Of the next nodes that raise: type and message."""
    status: int = 200
    """Of ``POST /prompt``."""


@dataclass
class State:
    """A test reads and changes what it likes."""

    faults: Faults = field(default_factory=Faults)
    node_seconds: float = 0.002
    slow_seconds: float = 0.02
    """Of a step, and of a slow node."""
    checkpoints: list[str] = field(default_factory=lambda: ["first.safetensors"])
    asked: list[tuple[str, Any]] = field(default_factory=list)
    """Each POST: its path and its body, or the form of an upload."""
    files: dict[tuple[str, str, str], bytes] = field(default_factory=dict)
    """By place (``input``, ``output``, ``temp``), folder and name."""
    history: dict[str, JsonObject] = field(default_factory=dict)
    pending: list[JsonObject] = field(default_factory=list)
    running: list[JsonObject] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    """Names of the nodes that were run, cached ones not."""
    freed: int = 0


def item(prompt: JsonObject) -> list[Any]:
    """A prompt as queue and history show it."""
    return [0, prompt["id"], prompt["graph"], {"client_id": prompt["of"]}, prompt["ends"]]
