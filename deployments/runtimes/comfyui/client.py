"""ComfyUI's HTTP API, a method for each request."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from deployments.backend.held_request import HeldRequest
from deployments.runtimes.comfyui.graph import Graph
from deployments.runtimes.comfyui.history_entry import HistoryEntry
from models import strict_json
from models.errors import RuntimeUnavailable

_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 60  # it does not answer while it reads a checkpoint
_AWAY = frozenset({502, 503, 504})  # from a proxy: the server is not there


@dataclass(frozen=True)
class File:
    """File that a node wrote, as ComfyUI names it."""

    name: str
    folder: str
    area: str
    """Top folder of ComfyUI's: ``output``, ``temp`` or ``input``."""


@dataclass(frozen=True)
class Submitted:
    """ComfyUI's answer to a new prompt."""

    accepted: bool
    body: Mapping[str, Any]

    @property
    def prompt(self) -> str | None:
        """Id of the prompt; a server may give it an id of its own."""
        return self.body.get("prompt_id")

    @property
    def node_errors(self) -> Mapping[str, Any]:
        """Errors by node; of an accepted prompt that has some, only the valid outputs run."""
        errors = self.body.get("node_errors")
        return errors if isinstance(errors, dict) else {}


class Client:
    """HTTP client of one server.

    Every request raises `RuntimeUnavailable` if there is no answer within 60 s, or none that it
    knows.
    """

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            trust_env=False,  # no proxy of the environment between us and loopback
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def is_up(self) -> bool:
        """Tell whether the server answers.

        Raises:
            httpx.TransportError: there is no connection.
        """
        return (await self._http.get("/system_stats")).is_success

    async def version(self) -> str:
        """Return ComfyUI's version; empty if it does not tell."""
        stats = await self._get_object("/system_stats")
        return str((stats.get("system") or {}).get("comfyui_version", ""))

    def held_prompt(self, graph: Graph, prompt: str, client: str) -> HeldRequest:
        """Hold the request that queues a graph, under an id of ours, until its turn."""
        body = {"prompt": graph.nodes, "prompt_id": prompt, "client_id": client}
        return HeldRequest(self._queue, strict_json.written(body).encode())

    async def submit(self, request: HeldRequest) -> Submitted:
        """Queue the graph of a held request now."""
        answer = await request.answer()
        if answer.is_success:
            return Submitted(accepted=True, body=_object(answer))
        if answer.status_code in _AWAY:
            _checked(answer)
        return Submitted(accepted=False, body=_refusal(answer))

    async def history(self, prompt: str) -> HistoryEntry | None:
        """Return the prompt's entry of the history; None while it has not ended."""
        entry = (await self._get_object(f"/history/{prompt}")).get(prompt)
        return HistoryEntry(entry) if isinstance(entry, dict) else None

    async def queue_state(self, prompt: str) -> str | None:
        """Return ``running`` or ``pending``; None if the prompt is not in the queue."""
        queue = await self._get_object("/queue")
        for state in ("running", "pending"):
            # An entry is a list: number, id of the prompt, graph, further data, outputs.
            if any(item[1] == prompt for item in queue.get(f"queue_{state}") or ()):
                return state
        return None

    async def drop(self, prompt: str) -> None:
        """Remove a pending prompt from the queue; ComfyUI does not say whether it was there."""
        _checked(await self._answer("POST", "/queue", json={"delete": [prompt]}))

    async def interrupt(self, prompt: str) -> None:
        """Stop the prompt at its next step if it runs; before 2025 ComfyUI stops any that runs."""
        _checked(await self._answer("POST", "/interrupt", json={"prompt_id": prompt}))

    async def free(self) -> None:
        """Have ComfyUI drop its models and the results that it keeps for later prompts, soon."""
        body = {"unload_models": True, "free_memory": True}
        _checked(await self._answer("POST", "/free", json=body))

    async def forget(self, prompt: str) -> None:
        """Remove a prompt from the history, where it stands with its whole graph."""
        await self._answer("POST", "/history", json={"delete": [prompt]})

    async def view(self, file: File) -> bytes | None:
        """Return the file's bytes; None if it is gone."""
        query = {"filename": file.name, "subfolder": file.folder, "type": file.area}
        answer = await self._answer("GET", "/view", params=query)
        return None if answer.status_code == httpx.codes.NOT_FOUND else _checked(answer).content

    async def upload(self, name: str, folder: str, data: bytes) -> str:
        """Put a file into its folder of inputs; return the name by which a node finds it."""
        # Without "overwrite" a name that a former attempt left may become "1 (1).png".
        fields = {"type": "input", "subfolder": folder, "overwrite": "true"}
        answer = await self._answer(
            "POST", "/upload/image", data=fields, files={"image": (name, data)}
        )
        stored = _object(_checked(answer))
        return "/".join(filter(None, (stored.get("subfolder"), stored.get("name", name))))

    async def classes(self) -> frozenset[str]:
        """List the node classes that this server has; megabytes, where it has many packs."""
        return frozenset(await self._get_object("/object_info"))

    async def choices(self, kind: str, field: str) -> list[str] | None:
        """List what an input of a node class may be; None if it is no choice."""
        node = (await self._get_object(f"/object_info/{kind}")).get(kind) or {}
        for group in (node.get("input") or {}).values():
            match group:
                case {**fields} if field in fields:
                    return _listed(fields[field])
        return None

    async def _queue(self, content: bytes | AsyncGenerator[bytes], size: int) -> httpx.Response:
        # Of a generator httpx knows no length, and would send it chunked.
        headers = {"Content-Type": "application/json", "Content-Length": f"{size}"}
        return await self._answer("POST", "/prompt", content=content, headers=headers)

    async def _get_object(self, path: str) -> Mapping[str, Any]:
        return _object(_checked(await self._answer("GET", path)))

    async def _answer(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return await self._http.request(method, path, **request)
        except httpx.TransportError as exc:
            why = str(exc) or type(exc).__name__
            raise RuntimeUnavailable(f"ComfyUI did not answer {method} {path} ({why})") from exc


def _checked(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        request = f"{answer.request.method} {answer.request.url.path}"
        raise RuntimeUnavailable(f"ComfyUI answered {answer.status_code} to {request}")
    return answer


def _refusal(answer: httpx.Response) -> Mapping[str, Any]:
    """Read the reason of a refusal; ComfyUI has none for a graph that it cannot even read."""
    try:
        return _object(answer)
    except RuntimeUnavailable:
        return {"error": f"it answered {answer.status_code}"}


def _object(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        path = answer.request.url.path
        raise RuntimeUnavailable(f"ComfyUI's answer to {path} is no JSON object")
    return body


def _listed(choices: Any) -> list[str] | None:
    """Read the choices of an input: a list comes first, or the word COMBO and its options."""
    match choices:
        case [[*names], *_] | ["COMBO", {"options": [*names]}]:
            return [str(name) for name in names]
    return None
