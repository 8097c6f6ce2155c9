"""ComfyUI's HTTP API, one method a request."""

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
_ANSWER_SECONDS = 60
_AWAY = frozenset({502, 503, 504})  # a proxy's word for a server that is not there


@dataclass(frozen=True)
class File:
    """A file that a node wrote, as ComfyUI names it."""

    name: str
    folder: str
    place: str
    """``output``, ``temp`` or ``input``."""


@dataclass(frozen=True)
class Submitted:
    """What ComfyUI says to a new prompt."""

    accepted: bool
    body: Mapping[str, Any]

    @property
    def prompt(self) -> str | None:
        """Its id; a server may give it one of its own."""
        return self.body.get("prompt_id")

    @property
    def node_errors(self) -> Mapping[str, Any]:
        """By node; also an accepted prompt may have some, then only its valid outputs run."""
        errors = self.body.get("node_errors")
        return errors if isinstance(errors, dict) else {}


class Client:
    """Asks one server.

    Every request raises `RuntimeUnavailable` where there is no answer, or none that it knows.
    """

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            trust_env=False,  # no proxy of the environment between us and loopback
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def is_up(self) -> bool:
        """Whether it answers; no connection is an `httpx.TransportError`."""
        return (await self._http.get("/system_stats")).is_success

    async def version(self) -> str:
        stats = await self._asked("GET", "/system_stats")
        return str((stats.get("system") or {}).get("comfyui_version", ""))

    def ahead(self, graph: Graph, prompt: str, client: str) -> HeldRequest:
        """The request that puts a graph into the queue, under an id of ours, at its turn."""
        body = {"prompt": graph.nodes, "prompt_id": prompt, "client_id": client}
        return HeldRequest(self._queue, strict_json.written(body).encode())

    async def submit(self, ahead: HeldRequest) -> Submitted:
        """Put that graph into the queue now."""
        answer = await ahead.answer()
        if answer.is_success:
            return Submitted(accepted=True, body=_object(answer))
        if answer.status_code in _AWAY:
            _good(answer)
        return Submitted(accepted=False, body=_refusal(answer))

    async def record(self, prompt: str) -> HistoryEntry | None:
        """How it ended; None while it has not."""
        entry = (await self._asked("GET", f"/history/{prompt}")).get(prompt)
        return HistoryEntry(entry) if isinstance(entry, dict) else None

    async def place(self, prompt: str) -> str | None:
        """``running`` or ``pending``; None where it is not in the queue."""
        queue = await self._asked("GET", "/queue")
        for place in ("running", "pending"):
            if any(item[1] == prompt for item in queue.get(f"queue_{place}") or ()):
                return place
        return None

    async def drop(self, prompt: str) -> None:
        """Take it out of the queue; ComfyUI says nothing to that."""
        _good(await self._answer("POST", "/queue", json={"delete": [prompt]}))

    async def interrupt(self, prompt: str) -> None:
        """Stop it at its next step if it runs; a ComfyUI of before 2025 stops whatever runs."""
        _good(await self._answer("POST", "/interrupt", json={"prompt_id": prompt}))

    async def free(self) -> None:
        """Have it drop its models and the results that it keeps for later prompts, soon."""
        body = {"unload_models": True, "free_memory": True}
        _good(await self._answer("POST", "/free", json=body))

    async def forget(self, prompt: str) -> None:
        """Have its history forget a prompt, which stands there with the whole graph."""
        await self._answer("POST", "/history", json={"delete": [prompt]})

    async def view(self, file: File) -> bytes | None:
        """The file's bytes; None where it is gone."""
        asked = {"filename": file.name, "subfolder": file.folder, "type": file.place}
        answer = await self._answer("GET", "/view", params=asked)
        return None if answer.status_code == httpx.codes.NOT_FOUND else _good(answer).content

    async def upload(self, name: str, folder: str, data: bytes) -> str:
        """Put a file into its folder of inputs; the name by which a node finds it."""
        fields = {"type": "input", "subfolder": folder, "overwrite": "true"}
        answer = await self._answer(
            "POST", "/upload/image", data=fields, files={"image": (name, data)}
        )
        given = _object(_good(answer))
        return "/".join(filter(None, (given.get("subfolder"), given.get("name", name))))

    async def choices(self, kind: str, field: str) -> list[str] | None:
        """What an input of a node class may be; None where it is no choice."""
        node = (await self._asked("GET", f"/object_info/{kind}")).get(kind) or {}
        for group in (node.get("input") or {}).values():
            match group:
                case {**fields} if field in fields:
                    return _listed(fields[field])
        return None

    async def _queue(self, content: bytes | AsyncGenerator[bytes], size: int) -> httpx.Response:
        headers = {"Content-Type": "application/json", "Content-Length": f"{size}"}
        return await self._answer("POST", "/prompt", content=content, headers=headers)

    async def _asked(self, method: str, path: str) -> Mapping[str, Any]:
        return _object(_good(await self._answer(method, path)))

    async def _answer(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return await self._http.request(method, path, **request)
        except httpx.TransportError as exc:
            why = str(exc) or type(exc).__name__
            raise RuntimeUnavailable(f"ComfyUI did not answer {method} {path} ({why})") from exc


def _good(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        asked = f"{answer.request.method} {answer.request.url.path}"
        raise RuntimeUnavailable(f"ComfyUI answered {answer.status_code} to {asked}")
    return answer


def _refusal(answer: httpx.Response) -> Mapping[str, Any]:
    """A graph that ComfyUI cannot even read ends in its source, and gets no reason."""
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


def _listed(given: Any) -> list[str] | None:
    """The choices of an input: a list comes first, or the word COMBO and its options."""
    match given:
        case [[*names], *_] | ["COMBO", {"options": [*names]}]:
            return [str(name) for name in names]
    return None
