"""A platform as those see it who submit, watch and cancel by HTTP, however it was started."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from httpx_sse import ServerSentEvent, connect_sse

from tests.platform.conftest import until

READY_SECONDS = 240.0
"""Ray starts, a replica imports torch, and the machine may be busy."""
LONG: Mapping[str, Any] = {"gpuMs": 3_000, "steps": 60, "previewEvery": 3}
"""Options of a fake runtime whose tasks run long enough to be seen running."""


def assert_serves(
    url: str, key: str, content: Mapping[str, Any], runtime: str = "sdruntime"
) -> None:
    """Hold a platform to what `atelier up` gives: ready, a task watched to its end, one cancelled.

    ``content``: of a text-to-image task that runs for a second or more.
    """
    task = {"runtime": runtime, "content": content}
    with httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=60) as native:
        until(lambda: is_ready(native), READY_SECONDS)
        _assert_watched(native, task)
        _assert_cancelled(native, task)


def is_ready(native: httpx.Client) -> bool:
    try:
        return native.get("/readyz").is_success
    except httpx.TransportError:  # nobody listens yet
        return False


def _assert_watched(native: httpx.Client, task: Mapping[str, Any]) -> None:
    submit(native, "serves-to-the-end", **task)
    with events(native, "serves-to-the-end") as told:
        heard = list(told)
    end = json.loads(heard[-1].data)

    assert {event.event for event in heard} == {"status", "progress", "preview", "artifact", "end"}
    assert end["status"] == "completed", end
    assert httpx.get(end["artifacts"][0]["url"]).is_success


def _assert_cancelled(native: httpx.Client, task: Mapping[str, Any]) -> None:
    submit(native, "serves-a-cancel", **task)
    with events(native, "serves-a-cancel") as told:
        after(told, "progress")
        cancelled = native.delete("/v1/tasks/serves-a-cancel").json()
        end = json.loads(after(told, "end").data)

    assert cancelled["status"] == end["status"] == "cancelled"


def submit(native: httpx.Client, name: str, runtime: str = "slow", **more: Any) -> dict[str, Any]:
    body = {"id": name, "runtime": runtime, "kind": "text-to-image", "content": {"seed": 1}}
    answer = native.post("/v1/tasks", json=body | more)
    assert answer.status_code == 202, answer.text
    view: dict[str, Any] = answer.json()
    return view


def state(native: httpx.Client, name: str) -> dict[str, Any]:
    answer = native.get(f"/v1/tasks/{name}")
    return answer.json() if answer.is_success else {"status": None}


@contextmanager
def events(
    native: httpx.Client, name: str, last: str | None = None
) -> Iterator[Iterator[ServerSentEvent]]:
    headers = {"Last-Event-ID": last} if last else {}
    with connect_sse(native, "GET", f"/v1/tasks/{name}/events", headers=headers) as source:
        yield source.iter_sse()


def after(told: Iterator[ServerSentEvent], kind: str) -> ServerSentEvent:
    """The next event of this kind."""
    return next(event for event in told if event.event == kind)
