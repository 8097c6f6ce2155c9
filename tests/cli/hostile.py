"""Hostile server: answers like the platform's, with texts that a terminal obeys."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.cli.loopback import serving

ATTACK = (
    "\x1b[2J\x1b]0;owned\x07\x1b]8;;http://evil\x1b\\\x9b31m\x90q\x9c\x7f\x08\x00\r\n\t"
    "\u202eexe.gpj\u2066\u200b\ufeff\u2028\u2029\u0085[red]markup[/red][/]"
)
"""Attack: CSI, OSC, DCS and their C1 forms, bidi, invisible marks, line breaks, Rich's markup."""
HALF = "\ud83d"
"""Lone surrogate."""


def task(status: str = "failed") -> dict[str, Any]:
    artifact = {"n": 1, "uri": f"s3://b/{ATTACK}.png", "url": f"http://h/{ATTACK}"}
    return {
        "id": f"id{ATTACK}",
        "submission": f"s{ATTACK}",
        "runtime": f"r{ATTACK}",
        "kind": f"k{ATTACK}",
        "status": status,
        "attempt": 1,
        "position": 10**400,
        "eta_seconds": 1e308,
        "phase": f"p{ATTACK}{HALF}",
        "why": f"w{ATTACK}{HALF}",
        "progress": {"step": 10**400, "of": -1},
        "seconds": {f"run{ATTACK}": 1e308},
        "checkpoint": f"c{ATTACK}{HALF}",
        "artifacts": [artifact],
        "output": {**artifact, "n": 0},
        "error": {"kind": f"E{ATTACK}", "message": f"m{ATTACK}{HALF}", "reason": ATTACK},
        "key": ATTACK,
        "context": {ATTACK: HALF},
        "callback": {"url": ATTACK, "events": [ATTACK], "calls": []},
        "created": 1e300,
        "updated": -1e300,
        "status_url": ATTACK,
        "events_url": ATTACK,
    }


RUNTIME = {
    "name": f"r{ATTACK}",
    "type": ATTACK,
    "kinds": ["pipeline"],
    "checkpoint": f"c{ATTACK}{HALF}",
    "replicas": 1,
    "wanted": 10**400,
    "starting": -1,
    "reason": f"n{ATTACK}{HALF}",
    "obstacle": f"o{ATTACK}{HALF}",
    "loaded": [ATTACK],
}
PROBLEM = {
    "type": f"urn:atelier:{ATTACK}",
    "title": ATTACK,
    "status": 422,
    "detail": ATTACK + HALF,
    "errors": [{"field": f"f{ATTACK}", "message": ATTACK}],
}
EVENTS = (
    ("status", {"status": "queued", "attempt": 0, "phase": ATTACK, "why": f"w{ATTACK}{HALF}"}),
    ("status", {"status": "running", "attempt": 1}),
    ("progress", {"step": 1, "of": 10**400}),
    ("preview", {"content_type": ATTACK, "data": ATTACK}),
    ("artifact", task()["artifacts"][0]),
    ("end", task()),
)


class Hostile(BaseHTTPRequestHandler):
    """Server's answers: data, problems, or pages of others."""

    def do_GET(self) -> None:
        kind = self.server.answers  # type: ignore[attr-defined]
        if kind == "data" and "/artifacts/" in self.path:
            return self._send(307, "", "OK", location="/blob")
        if kind == "problems":
            return self._send(422, json.dumps(PROBLEM), "Hostile\x1b[2J\x9b31m")
        if kind == "pages":
            return self._send(403, f"<html>{ATTACK}", "Hostile\x9b31m")
        if self.path.partition("?")[0].endswith("/events"):
            parts = (f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in EVENTS)
            return self._send(200, "".join(parts), "OK", "text/event-stream")
        return self._send(200, json.dumps(self._data()), "OK")

    do_POST = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass

    def _data(self) -> dict[str, Any]:
        path = self.path.partition("?")[0]
        if path == "/v1/runtimes":
            return {"runtimes": [RUNTIME]}
        if path == "/v1/checkpoints":
            return {"checkpoints": [{"name": f"c{ATTACK}{HALF}", "runtimes": [f"r{ATTACK}"]}]}
        if path == "/v1/tasks" and self.command == "GET":
            return {"tasks": [task(), task("completed")], "next": None}
        return task()

    def _send(
        self,
        status: int,
        text: str,
        reason: str,
        kind: str = "application/json",
        location: str = "",
    ) -> None:
        body = text.encode(errors="surrogatepass")
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(status, reason)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        if location:
            self.send_header("location", location)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def hostile(answers: str) -> Iterator[str]:
    """Serve attacks as ``data``, ``problems`` or ``pages``; return the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    server.answers = answers  # type: ignore[attr-defined]
    with serving(server) as url:
        yield url
