"""Socket on which ComfyUI tells of its work, held open and read as long as the replica lives."""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from deployments.runtimes.comfyui.tracked_prompt import TrackedPrompt
from models.backoff import Backoff
from models.errors import RuntimeUnavailable

log = logging.getLogger("ray.serve.atelier.comfyui")

_BACKOFF = Backoff(first=0.1, longest=5)
_OPEN_SECONDS = 10
_BROKEN = (OSError, TimeoutError, WebSocketException)
# Asks for previews that name their prompt; ComfyUI heeds it as the first message only.
_FEATURE_FLAGS = json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
_TYPE_LENGTH = 40  # characters in which a message names its type
_IMAGE, _IMAGE_WITH_METADATA = 1, 4


@dataclass(frozen=True)
class SocketImage:
    """Picture that came over the socket."""

    data: bytes
    node: str | None = None
    prompt: str | None = None


class EventSocket:
    """Reads every message at once: a slow reader would hold up ComfyUI's other clients.

    One prompt is followed at a time: only one of ours is ever in ComfyUI's queue.
    """

    def __init__(self, url: str) -> None:
        self.client = uuid4().hex
        """Id under which ComfyUI tells us of our prompts, also after a reconnect."""
        self._url = f"{url.replace('http', 'ws', 1)}/ws?clientId={self.client}"  # https: wss
        self._tracked: TrackedPrompt | None = None
        self._connected = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._listening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect; takes 10 s at most.

        Raises:
            RuntimeUnavailable: ComfyUI did not take the connection.
        """
        self._listening = asyncio.create_task(self._listen())
        await self.connected()

    async def connected(self) -> None:
        """Wait until it is connected, for 10 s at most.

        Raises:
            RuntimeUnavailable: ComfyUI did not take the connection.
        """
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                await self._connected.wait()
        except TimeoutError:
            raise RuntimeUnavailable("ComfyUI did not open its socket (/ws)") from None

    async def close(self) -> None:
        """Hang up."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])  # not `await`: its cancellation is not ours

    def check(self) -> None:
        """Raise if the socket is not read any more.

        Raises:
            RuntimeUnavailable: the reader has ended.
        """
        if self._listening is not None and self._listening.done():
            raise RuntimeUnavailable("nobody listens to ComfyUI's socket any more")

    async def reconnect(self) -> None:
        """Make ComfyUI register us anew: it forgets a client whose older connection ends late."""
        if self._socket is not None:
            await self._socket.close()

    @contextmanager
    def following(self, prompt: TrackedPrompt) -> Iterator[None]:
        """Hand the messages about this prompt to it."""
        self._tracked = prompt
        try:
            yield
        finally:
            self._tracked = None

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                async with self._connection() as socket:
                    await socket.send(_FEATURE_FLAGS)
                    self._note_connection(socket)
                    async for message in socket:
                        # Not when connected: one that hangs up at once is asked more rarely.
                        failures = 0
                        self._dispatch(message)
            except _BROKEN as exc:
                log.warning("comfyui_socket_lost", extra={"why": type(exc).__name__})
            # Reached by a normal close as well, which ends the loop without an exception.
            self._connected.clear()
            if self._tracked is not None:
                self._tracked.note_disconnect()
            failures += 1
            await asyncio.sleep(_BACKOFF.pause(failures))

    def _connection(self) -> connect:
        return connect(
            self._url,
            compression=None,  # it would cost ComfyUI's own event loop
            max_size=None,  # a picture may come as one message
            proxy=None,  # no proxy of the environment between us and loopback
            ping_timeout=60,  # its event loop waits while a checkpoint is read
            close_timeout=1,
        )

    def _note_connection(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._connected.set()

    def _dispatch(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self._take_image(message)
        # Left out: the state of all nodes, sent at every step of each; it is most of the traffic.
        elif "progress_state" not in message[:_TYPE_LENGTH]:
            self._take_message(message)

    def _take_message(self, message: str) -> None:
        match _parsed(message):
            case {"type": str(kind), "data": {"prompt_id": str(prompt)} as data}:
                if self._tracked is not None and self._tracked.id == prompt:
                    self._tracked.take_message(kind, data)

    def _take_image(self, message: bytes) -> None:
        image = image_in(message)
        if image is None or self._tracked is None:
            return
        if image.prompt in (None, self._tracked.id):
            self._tracked.take_image(image.data, image.node)


def image_in(message: bytes) -> SocketImage | None:
    """Read the picture in a binary message; None if it is of a kind that holds none."""
    # Two numbers, big-endian: the kind, then the picture's format; with metadata, their length.
    kind, size = int.from_bytes(message[:4]), int.from_bytes(message[4:8])
    if kind == _IMAGE:
        return SocketImage(message[8:])
    if kind != _IMAGE_WITH_METADATA:
        return None
    match _parsed(message[8 : 8 + size]):
        case {"node_id": str(node), "prompt_id": str(prompt)}:
            return SocketImage(message[8 + size :], node, prompt)
    return None


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
