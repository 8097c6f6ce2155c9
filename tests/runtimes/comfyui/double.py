"""A server that behaves as ComfyUI 0.3 does, message for message, down to what it does wrong.

It paints plain colours. Run as a program it takes the flags of the real one.
"""

import argparse
import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from tests.runtimes.comfyui.nodes import KINDS, JsonObject, problems
from tests.runtimes.comfyui.sockets import Sockets
from tests.runtimes.comfyui.state import State, item
from tests.runtimes.comfyui.worker import Worker


@dataclass(eq=False)
class ComfyUi(State):
    """Double of ComfyUI; a test may read and change its state."""

    def __post_init__(self) -> None:
        self.sockets = Sockets(self)
        self.worker = Worker(self, self.sockets)
        self.app = Starlette(
            routes=[
                WebSocketRoute("/ws", self.sockets.listen),
                Route("/upload/image", self.upload, methods=["POST"]),
                Route("/prompt", self.prompt, methods=["POST"]),
                Route("/view", self.view),
                Route("/history/{id}", self.found),
                Route("/object_info/{kind}", self.kind),
                Route("/{name}", self.told, methods=["GET"]),
                Route("/{name}", self.told_to, methods=["POST"]),
            ]
        )

    async def told(self, request: Request) -> Response:
        match request.path_params["name"]:
            case "system_stats":
                return _json({"system": {"comfyui_version": "0.3.64"}, "devices": []})
            case "object_info":
                return _json({kind: self._described(kind) for kind in KINDS})
            case "queue":
                queue = {"queue_running": self.running, "queue_pending": self.pending}
                return _json({key: [item(p) for p in ps] for key, ps in queue.items()})
        return Response(status_code=404)

    async def told_to(self, request: Request) -> Response:
        name, body = request.path_params["name"], await request.json()
        self.asked.append((name, body))
        match name:
            case "interrupt":
                running = any(body.get("prompt_id") == p["id"] for p in self.running)
                self.worker.stop = running and not self.faults.disobedient
            case "queue":
                self.pending = [p for p in self.pending if p["id"] not in body["delete"]]
            case "history":
                self.history = {k: v for k, v in self.history.items() if k not in body["delete"]}
            case "free":
                self.freed += 1
                self.worker.kept.clear()
            case _:
                return Response(status_code=404)
        return Response()

    async def prompt(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(("prompt", body))
        await asyncio.sleep(self.faults.slow_to_take)
        if self.faults.status != 200:
            return Response("Server got itself in trouble", self.faults.status)
        graph = body["prompt"]
        if refusal := self._refusal(graph):
            return _json({"error": refusal, "node_errors": {}}, 400)
        known = {"ckpt_name": self.checkpoints}
        sent = [(folder, name) for place, folder, name in self.files if place == "input"]
        inputs = {"/".join(filter(None, each)) for each in sent}
        errors = problems(graph, known, inputs)
        wrong = {end for told in errors.values() for end in told["dependent_outputs"]}
        ends = [name for name in graph if KINDS[graph[name]["class_type"]].ends]
        good = [name for name in ends if name not in wrong]
        if not good:
            message = "Prompt outputs failed validation"
            error = _general("prompt_outputs_failed_validation", message, "")
            return _json({"error": error, "node_errors": errors}, 400)
        name = str(uuid4()) if self.faults.own_ids else body.get("prompt_id", str(uuid4()))
        self.pending.append({"id": name, "graph": graph, "ends": good, "of": body["client_id"]})
        await self.sockets.tell_queue()
        self.worker.take()
        return _json({"prompt_id": name, "number": 1, "node_errors": errors})

    async def upload(self, request: Request) -> Response:
        form = _form(request.headers["content-type"], await request.body())
        name, data = form.pop("image")
        fields = {key: value.decode() for key, (_, value) in form.items()}
        self.asked.append(("upload/image", fields | {"name": name}))
        self.files[(fields["type"], fields["subfolder"], name)] = data
        return _json({"name": name} | {key: fields[key] for key in ("subfolder", "type")})

    async def view(self, request: Request) -> Response:
        asked = request.query_params
        if ".." in asked["filename"]:
            return Response(status_code=400)
        data = self.files.get((asked["type"], asked["subfolder"], asked["filename"]))
        return Response(status_code=404) if data is None else Response(data)

    async def found(self, request: Request) -> Response:
        name = request.path_params["id"]
        return _json({name: self.history[name]} if name in self.history else {})

    async def kind(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        return _json({kind: self._described(kind)} if kind in KINDS else {})

    def _described(self, kind: str) -> JsonObject:
        required = dict(KINDS[kind].required)
        if "ckpt_name" in required:
            required["ckpt_name"] = [self.checkpoints, {"tooltip": "The checkpoint"}]
        return {"input": {"required": required}, "name": kind}

    def _refusal(self, graph: JsonObject) -> JsonObject | None:
        for name, node in graph.items():
            if node["class_type"] not in KINDS:
                message = f"Cannot execute because node {node['class_type']} does not exist."
                return _general("invalid_prompt", message, f"Node ID '#{name}'")
        if not any(KINDS[node["class_type"]].ends for node in graph.values()):
            return _general("prompt_no_outputs", "Prompt has no outputs", "")
        return None


def _json(body: Any, status: int = 200) -> Response:
    # Not Starlette's, which has no NaN: as ComfyUI it tells whatever was sent.
    return Response(json.dumps(body), status, media_type="application/json")


def _form(content_type: str, body: bytes) -> dict[str, tuple[str, bytes]]:
    """Read the fields of a multipart form: the name of a file, and the bytes."""
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    return {
        str(part.get_param("name", header="content-disposition")): (
            part.get_filename() or "",
            bytes(part.get_payload(decode=True)),
        )
        for part in message.walk()
        if not part.is_multipart()
    }


def _general(kind: str, message: str, details: str) -> JsonObject:
    return {"type": kind, "message": message, "details": details, "extra_info": {}}


def checkpoints(paths: Path | None) -> Iterator[str]:
    """List the names of the files in the folders that such a file lists."""
    groups = yaml.safe_load(paths.read_text()) if paths else {}
    for group in groups.values():
        for folder in group.get("checkpoints", "").splitlines():
            yield from sorted(path.name for path in Path(folder).iterdir())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--port", type=int, required=True)
    for name in ("input", "output", "temp"):
        parser.add_argument(f"--{name}-directory", required=True)
    parser.add_argument("--preview-method", required=True)
    for name in ("cpu", "disable-auto-launch", "disable-api-nodes"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--extra-model-paths-config", type=Path)
    flags = parser.parse_args()
    comfyui = ComfyUi(checkpoints=list(checkpoints(flags.extra_model_paths_config)))
    uvicorn.run(comfyui.app, host=flags.listen, port=flags.port)


if __name__ == "__main__":
    main()
