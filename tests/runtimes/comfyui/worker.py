"""The double's one worker: runs one prompt after the other, with ComfyUI's own messages."""

import asyncio
import json
import time
from collections import Counter
from typing import Any

from tests.runtimes.comfyui.nodes import KINDS, JsonObject, Picture, behind, is_link
from tests.runtimes.comfyui.sockets import Sockets
from tests.runtimes.comfyui.state import State, item


class Interrupted(Exception):
    """The prompt is to stop."""


class Raised(Exception):
    """A node's own error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Worker:
    """Takes what is pending; keeps the results of the last prompt's nodes."""

    def __init__(self, state: State, sockets: Sockets) -> None:
        self.state = state
        self.sockets = sockets
        self.holds = False
        """`True` to take nothing, as if another's prompt were running."""
        self.stop = False
        """`True` to stop the prompt that runs."""
        self.kept: dict[str, tuple[str, JsonObject]] = {}
        self._trailers: list[tuple[str, str, JsonObject]] = []
        self._raised = Counter[str]()
        self._working: asyncio.Task[None] | None = None

    def take(self) -> None:
        """Begin with what is pending, unless that is under way."""
        if not (self.holds or self._working):
            self._working = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self.state.pending:
            await self._run(self.state.pending.pop(0))
        self._working = None

    async def _run(self, prompt: JsonObject) -> None:
        self.state.running, self.stop = [prompt], False
        await self.sockets.tell_queue()
        for client, kind, data in self._trailers:
            await self.sockets.say(client, kind, data)
        self._trailers = []
        messages: list[Any] = []
        outputs = await self._execute(prompt, messages)
        for kind, data in messages[2:]:
            await self.sockets.tell(prompt, kind, **data)
        ended = messages[-1][0] == "execution_success"
        entry = {
            "prompt": item(prompt),
            "outputs": outputs,
            "status": {
                "status_str": "success" if ended else "error",
                "completed": ended,
                "messages": [[k, d | {"prompt_id": prompt["id"]}] for k, d in messages],
            },
        }
        await self._end(prompt, entry)

    async def _end(self, prompt: JsonObject, entry: JsonObject) -> None:
        last = (prompt["of"], "executing", {"node": None, "prompt_id": prompt["id"]})
        if self.state.faults.late_history:
            await self.sockets.say(*last)
            await asyncio.sleep(self.state.faults.late_history)
        if self.state.running:  # else the server was restarted
            self.state.history[prompt["id"]] = entry
        self.state.running = []
        await self.sockets.tell_queue()
        if self.state.faults.hold_trailers:
            self._trailers.append(last)
        elif not (self.state.faults.deaf or self.state.faults.late_history):
            await self.sockets.say(*last)

    async def _execute(self, prompt: JsonObject, messages: list[Any]) -> JsonObject:
        graph = prompt["graph"]
        order = list(dict.fromkeys(one for end in prompt["ends"] for one in behind(graph, end)))
        signs = {name: _sign(graph, name) for name in order}
        cached = [n for n in order if self.kept.get(n, ("",))[0] == signs[n]]
        self.kept = {name: self.kept[name] for name in cached}
        for kind, data in (("execution_start", {}), ("execution_cached", {"nodes": cached})):
            messages.append((kind, data))
            await self.sockets.tell(prompt, kind, **data)
        made: dict[str, Any] = {}
        try:
            for name in order:
                made[name] = await self._node(prompt, name, made, cached=name in cached)
                if name not in cached and not _always_runs(graph, name):
                    self.kept[name] = (signs[name], self._shown(made[name]))
        except Exception as exc:  # noqa: BLE001 - whatever a node raises; the next prompt must run
            messages.append(_ending(exc, name, graph[name]["class_type"]))
        else:
            messages.append(("execution_success", {"timestamp": int(time.time() * 1000)}))
        return {n: self._shown(result) for n, result in made.items() if self._shown(result)}

    def _shown(self, result: Any) -> JsonObject:
        return result if isinstance(result, dict) else {}

    async def _node(
        self, prompt: JsonObject, name: str, made: dict[str, Any], *, cached: bool
    ) -> Any:
        node = prompt["graph"][name]
        kind = KINDS[node["class_type"]]
        try:
            inputs = {
                key: made[value[0]] if is_link(value) else value
                for key, value in node["inputs"].items()
            }
        except KeyError as exc:
            raise Raised("DependencyCycleError", "Dependency cycle detected") from exc
        if cached and kind.ends:
            return {} if self.state.faults.forgetful else self.kept[name][1]
        if not cached:
            await self._begin(prompt, name, kind.slow)
        if not kind.ends:
            if not cached:
                await self._steps(prompt, name, inputs)
            return kind.makes(inputs)
        output = await self._output(prompt, name, inputs)
        if output:
            await self.sockets.tell(prompt, "executed", node=name, display_node=name, output=output)
        return output

    async def _begin(self, prompt: JsonObject, name: str, slow: bool) -> None:
        self.state.ran.append(name)
        if self.state.faults.lose_socket_at == name:
            self.state.faults.lose_socket_at = None
            await self.sockets.hang_up()
        state = {"value": 0.0, "max": 1.0, "state": "running", "node_id": name}
        await self.sockets.tell(prompt, "progress_state", nodes={name: state})
        await self.sockets.tell(prompt, "executing", node=name, display_node=name)
        await asyncio.sleep(self.state.slow_seconds if slow else self.state.node_seconds)
        self._heed()

    def _heed(self) -> None:
        if self.stop:
            raise Interrupted

    async def _steps(self, prompt: JsonObject, name: str, inputs: JsonObject) -> None:
        kind = prompt["graph"][name]["class_type"]
        if kind == "Raise":
            await asyncio.sleep(0)
            if self.state.faults.errors:
                raise Raised(*self.state.faults.errors.pop(0))
            self._raised[inputs["message"]] += 1
            if inputs["type"] and self._raised[inputs["message"]] == 1:
                raise Raised(inputs["type"], inputs["message"])
        if kind != "Slow":
            return
        of = inputs["steps"]
        for step in range(1, of + 1):
            await asyncio.sleep(self.state.slow_seconds)
            self._heed()
            await self.sockets.show(prompt, name, Picture(step, 8, 8).drawn(0))
            await self.sockets.tell(prompt, "progress", value=step, max=of, node=name)

    async def _output(self, prompt: JsonObject, name: str, inputs: JsonObject) -> JsonObject:
        match prompt["graph"][name]["class_type"]:
            case "SaveImage":
                return self._saved("output", inputs["images"], inputs.get("filename_prefix", "x"))
            case "PreviewImage":
                return self._saved("temp", inputs["images"], "ComfyUI_temp")
            case "Save":
                folder, _, file = inputs["file"].rpartition("/")
                self.state.files[("output", folder, file)] = bytes.fromhex(inputs["hex"]) + bytes(
                    inputs.get("more", 0)
                )
                told = {"filename": file, "subfolder": folder, "type": "output"}
                return {inputs["kind"]: [told | {"fullpath": f"/srv/{file}"}], "animated": [True]}
            case "PreviewAny":
                return {"text": [inputs["source"]]}
            case "Block":
                text = f"Execution Blocked: {inputs['message']}"
                kind = {"exception_type": "ExecutionBlocked", "exception_message": text}
                await self.sockets.tell(prompt, "execution_error", node_id=name, **kind)
            case "SaveImageWebsocket":
                for number in range(inputs["images"].batch):
                    await self.sockets.show(prompt, name, inputs["images"].drawn(number))
                    of = inputs["images"].batch
                    await self.sockets.tell(prompt, "progress", value=number, max=of, node=name)
        return {}

    def _saved(self, place: str, picture: Picture, prefix: str) -> JsonObject:
        """Number a file after those that there are, as ComfyUI does."""
        images = []
        for number in range(picture.batch):
            taken = sum(key[0] == place and key[2].startswith(prefix) for key in self.state.files)
            name = f"{prefix}_{taken + 1:05}_.png"
            self.state.files[(place, "", name)] = picture.drawn(number)
            images.append({"filename": name, "subfolder": "", "type": place})
        return {"images": images}


def _always_runs(graph: JsonObject, name: str) -> bool:
    return bool(graph[name]["class_type"] == "SaveImageWebsocket")


def _sign(graph: JsonObject, name: str) -> str:
    return json.dumps([graph[one] for one in behind(graph, name)], sort_keys=True)


def _ending(exc: Exception, node: str, kind: str) -> tuple[str, JsonObject]:
    where = {"node_id": node, "node_type": kind, "executed": []}
    if isinstance(exc, Interrupted):
        return "execution_interrupted", where
    raised = exc.kind if isinstance(exc, Raised) else type(exc).__name__
    told = {"exception_type": raised, "exception_message": f"{exc}\n"}
    leaks = {"traceback": ['  File "/srv/comfyui/nodes.py"'], "current_inputs": {"a": ["secret"]}}
    return "execution_error", where | told | leaks
