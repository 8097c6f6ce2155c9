"""Sockets of the double: its messages, to whom they go and in which form."""

import contextlib
import json
import struct
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.runtimes.comfyui.nodes import JsonObject
from tests.runtimes.comfyui.state import State


class Sockets:
    """Sends messages to the clients; a prompt's go to the client that sent it."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._sockets: dict[str, WebSocket] = {}
        self._knows_metadata: set[str] = set()

    async def listen(self, socket: WebSocket) -> None:
        await socket.accept()
        client = socket.query_params["clientId"]
        self._sockets[client] = socket
        try:
            await self.say(client, "status", self._queue_info() | {"sid": client})
            first = await socket.receive_json()
            if first["type"] == "feature_flags" and self.state.faults.metadata:
                self._knows_metadata.add(client)
                await self.say(client, "feature_flags", {"supports_preview_metadata": True})
            while True:
                await socket.receive()
        except (WebSocketDisconnect, RuntimeError):
            # As the real one: the end of an older connection forgets a newer one.
            self._sockets.pop(client, None)

    async def hang_up(self) -> None:
        for socket in list(self._sockets.values()):
            await socket.close()

    async def say(self, client: str, kind: str, data: JsonObject) -> None:
        if client in self._sockets:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await self._sockets[client].send_text(json.dumps({"type": kind, "data": data}))

    async def show(self, prompt: JsonObject, node: str, image: bytes) -> None:
        """Send a picture by itself to older clients, with its metadata to those that asked."""
        client = prompt["of"]
        if client not in self._sockets or self.state.faults.deaf:
            return
        if client in self._knows_metadata:
            about = {"node_id": node, "prompt_id": prompt["id"], "image_type": "image/png"}
            text = json.dumps(about).encode()
            message = struct.pack(">II", 4, len(text)) + text + image
        else:
            message = struct.pack(">II", 1, 2) + image
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await self._sockets[client].send_bytes(message)

    async def tell(self, prompt: JsonObject, kind: str, **data: Any) -> None:
        if not self.state.faults.deaf:
            await self.say(prompt["of"], kind, data | {"prompt_id": prompt["id"]})

    async def tell_queue(self) -> None:
        for client in list(self._sockets):
            await self.say(client, "status", self._queue_info())

    def _queue_info(self) -> JsonObject:
        waiting = len(self.state.pending) + len(self.state.running)
        return {"status": {"exec_info": {"queue_remaining": waiting}}}
