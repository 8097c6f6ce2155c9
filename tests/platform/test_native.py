"""`/v1` over a real Ray with two ingress replicas: watch, cancel, find; whoever sent the task."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook
from typing_extensions import override

from tests.platform.conftest import Watched, message, until
from tests.platform.test_line import replica
from tests.platform.watching import after, assert_serves, events, state, submit

pytestmark = pytest.mark.ray


@pytest.fixture
def native(up: Watched) -> Iterator[httpx.Client]:
    key = {"x-api-key": up.address["api_key"]}
    with httpx.Client(base_url=up.address["url"], headers=key, timeout=60) as client:
        yield client


def test_it_serves_as_every_other_way_of_running_does(up: Watched) -> None:
    assert_serves(up.address["url"], up.address["api_key"], {"seed": 1}, runtime="comfy")


def test_a_task_is_waited_for(native: httpx.Client) -> None:
    body = {"kind": "text-to-image", "runtime": "sdruntime", "content": {"prompt": "a tin robot"}}
    answer = native.post("/v1/tasks", params={"wait": 30}, json=body)
    view = answer.json()
    picture = httpx.get(view["artifacts"][0]["url"])
    again = native.get(f"/v1/tasks/{view['id']}/artifacts/1", follow_redirects=True)

    assert (answer.status_code, view["status"]) == (200, "completed")
    assert set(view["seconds"]) == {"inputs", "wait", "load", "run", "store"}
    assert picture.content.startswith(b"\x89PNG")
    assert again.content == picture.content


def test_a_running_task_shows_its_progress_and_is_cancelled(
    native: httpx.Client, up: Watched
) -> None:
    submit(native, "watched")
    with events(native, "watched") as told:
        preview = json.loads(after(told, "preview").data)
        first = json.loads(after(told, "progress").data)
        cancelled = native.delete("/v1/tasks/watched").json()
        end = json.loads(after(told, "end").data)
    view = submit(native, "next", runtime="slow")
    until(lambda: state(native, "next")["status"] == "running")  # the replica is free again
    until(lambda: state(native, "next")["progress"])
    native.delete("/v1/tasks/next", params={"submission": view["submission"]})

    assert preview["content_type"] == "image/png"
    assert first["of"] == 600
    assert cancelled["status"] == end["status"] == "cancelled"
    assert up.wait("watched")["status"] == "cancelled"
    assert up.wait("watched")["result"] is False


def test_a_queued_task_never_starts(native: httpx.Client, up: Watched) -> None:
    blockers = [submit(native, f"blocker-{n}") for n in range(7)]  # as many as may be leased
    # A replica admits four, ingest leases two more, and one has the GPU.
    until(lambda: sum(state(native, b["id"])["status"] == "running" for b in blockers) == 1)
    submit(native, "unwanted")
    until(lambda: state(native, "unwanted")["position"] == 6)
    native.delete("/v1/tasks/unwanted")
    told = up.wait("unwanted")
    for blocker in blockers:
        native.delete(f"/v1/tasks/{blocker['id']}")
    ends = [up.wait(blocker["id"])["status"] for blocker in blockers]

    assert told["status"] == "cancelled"
    assert ends == ["cancelled"] * 7
    assert state(native, "unwanted")["attempt"] == 0


def test_a_task_that_came_by_sns_is_found_watched_and_cancelled(
    native: httpx.Client, up: Watched
) -> None:
    up.publish(message("by-topic", runtime="slow"), runtime="slow")
    until(lambda: state(native, "by-topic")["status"] == "running")
    with events(native, "by-topic") as told:
        seen = after(told, "progress").id
        after(told, "progress")
    with events(native, "by-topic", last=seen) as told:  # again, perhaps at the other front
        resumed = next(told)
        native.delete("/v1/tasks/by-topic")
        after(told, "end")
    listed = native.get("/v1/tasks", params={"status": "cancelled", "runtime": "slow"}).json()

    before, after_it = (event_id.split(".") for event_id in (seen, resumed.id))
    assert after_it[0] == before[0]
    # Of one update the number is the same, and the place in it another.
    assert [int(part) for part in after_it[1:]] > [int(part) for part in before[1:]]
    assert "by-topic" in {view["id"] for view in listed["tasks"]}
    assert up.wait("by-topic")["status"] == "cancelled"


def test_a_killed_ingest_is_watched_to_the_end(native: httpx.Client, up: Watched) -> None:
    submit(native, "outlives", runtime="comfy")
    until(lambda: state(native, "outlives")["progress"])
    with events(native, "outlives") as told:
        next(told)
        os.kill(replica(up, "Ingest"), signal.SIGKILL)
        end = json.loads(after(told, "end").data)

    assert end["status"] == "completed"
    assert end["attempt"] >= 1


def test_the_same_idempotency_key_submits_once(native: httpx.Client, up: Watched) -> None:
    body = {"id": "once", "runtime": "sdruntime", "kind": "text-to-image", "content": {}}
    key = {"Idempotency-Key": "order-42"}
    first, again = (native.post("/v1/tasks", json=body, headers=key) for _ in range(2))
    other = native.post("/v1/tasks", json=body | {"id": "other"}, headers=key)
    up.wait("once")

    assert first.json()["submission"] == again.json()["submission"]
    assert (other.status_code, other.headers["content-type"]) == (422, "application/problem+json")
    assert len(up.told["once"]) == 1


class Receiver(BaseHTTPRequestHandler):
    """Keeps what it is called with."""

    calls: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.calls.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def test_a_callback_is_called_with_a_signature(native: httpx.Client, up: Watched) -> None:
    Receiver.calls = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        callback = {"url": f"http://127.0.0.1:{server.server_port}/told?secret=1"}
        submit(native, "called", runtime="sdruntime", callback=callback)
        until(lambda: Receiver.calls)
        view = until(lambda: (v := state(native, "called"))["callback"]["calls"] and v)
        server.shutdown()

    headers, body = Receiver.calls[0]
    told = Webhook(up.address["callback_secret"]).verify(body, headers)
    assert told["type"] == "task.completed"
    assert told["data"] == up.wait("called")
    assert [call["status"] for call in view["callback"]["calls"]] == [204]


def test_what_runs_is_told(native: httpx.Client, up: Watched) -> None:
    until(lambda: native.get("/readyz").is_success)

    def known() -> dict[str, Any]:
        told = native.get("/v1/runtimes").json()["runtimes"]
        runtimes = {one["name"]: one for one in told}
        one = runtimes["sdruntime"]  # what does not answer in time is null
        idle = (one["backlog"], one["leased"], one["running"]) == (0, 0, 0)
        return runtimes if idle and one["seconds_per_task"] else {}

    runtimes = until(known)
    checkpoints = native.get("/v1/checkpoints").json()["checkpoints"]

    assert set(runtimes) == {"sdruntime", "dynruntime", "comfy", "slow", "zero"}
    assert runtimes["sdruntime"]["kinds"]
    assert [one["name"] for one in checkpoints] == ["shapes"]
