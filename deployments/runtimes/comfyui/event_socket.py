"""The socket on which ComfyUI tells what it does, held open and read for as long as we live."""

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
# Only as the first message, else it is not heeded: previews that say of which prompt they are.
_HELLO = json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
_HEAD = 40
_PICTURE, _PICTURE_WITH_METADATA = 1, 4


@dataclass(frozen=True)
class Picture:
    """A picture that came over the socket."""

    image: bytes
    node: str | None = None
    prompt: str | None = None


class EventSocket:
    """Reads all that is said, at once: a slow reader would hold up ComfyUI's other clients.

    One watch at a time: only one prompt of ours is ever in ComfyUI's queue.
    """

    def __init__(self, url: str) -> None:
        self.client = uuid4().hex
        """Whom ComfyUI tells of our prompts, also after a reconnect."""
        self._url = f"{url.replace('http', 'ws', 1)}/ws?clientId={self.client}"
        self._watch: TrackedPrompt | None = None
        self._connected = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._listening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect.

        Raises:
            RuntimeUnavailable: it did not take the connection.
        """
        self._listening = asyncio.create_task(self._listen())
        await self.connected()

    async def connected(self) -> None:
        """Return when it is connected.

        Raises:
            RuntimeUnavailable: it did not take the connection.
        """
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                await self._connected.wait()
        except TimeoutError:
            raise RuntimeUnavailable("ComfyUI did not open its socket (/ws)") from None

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])

    def check(self) -> None:
        """Raise where nobody listens any more."""
        if self._listening is not None and self._listening.done():
            raise RuntimeUnavailable("nobody listens to ComfyUI's socket any more")

    async def reconnect(self) -> None:
        """Have ComfyUI register us again: it forgets a client whose older connection ends late."""
        if self._socket is not None:
            await self._socket.close()

    @contextmanager
    def following(self, watch: TrackedPrompt) -> Iterator[None]:
        """Tell this watch what is said of its prompt."""
        self._watch = watch
        try:
            yield
        finally:
            self._watch = None

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                async with self._connection() as socket:
                    await socket.send(_HELLO)
                    self._found(socket)
                    async for message in socket:
                        failures = 0
                        self._hear(message)
            except _BROKEN as exc:
                log.warning("comfyui_socket_lost", extra={"why": type(exc).__name__})
            self._connected.clear()
            if self._watch is not None:
                self._watch.lose()
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

    def _found(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._connected.set()

    def _hear(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self._see(message)
        # The state of all nodes so far, at every step of each: the bulk of what is said.
        elif "progress_state" not in message[:_HEAD]:
            self._tell(message)

    def _tell(self, message: str) -> None:
        match _parsed(message):
            case {"type": str(kind), "data": {"prompt_id": str(prompt)} as data}:
                if self._watch is not None and self._watch.prompt == prompt:
                    self._watch.hear(kind, data)

    def _see(self, message: bytes) -> None:
        picture = picture_in(message)
        if picture is None or self._watch is None:
            return
        if picture.prompt in (None, self._watch.prompt):
            self._watch.see(picture.image, picture.node)


def picture_in(message: bytes) -> Picture | None:
    """The picture in a binary message, if it is one of the two kinds that hold one."""
    kind, size = int.from_bytes(message[:4]), int.from_bytes(message[4:8])
    if kind == _PICTURE:
        return Picture(message[8:])
    if kind != _PICTURE_WITH_METADATA:
        return None
    match _parsed(message[8 : 8 + size]):
        case {"node_id": str(node), "prompt_id": str(prompt)}:
            return Picture(message[8 + size :], node, prompt)
    return None


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
