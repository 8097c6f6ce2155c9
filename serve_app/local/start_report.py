"""Report the start of the platform's process to the command that holds it, in lines of JSON.

``{"stage"}``: what it does now. ``{"part", "pid"}``: a process without which nothing works.
``{"note"}``: what a person may want to know of the configuration.
``{"deployment", "running", "of", "why"}``: how far one is. At the end of the start one of
``{"up"}`` with the address, ``{"environment"}`` of the embedded AWS alone, and ``{"failed"}``;
``"usage"`` is true there where the configuration is to be mended.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from models import strict_json

_LOOK_SECONDS = 0.3
_LAST_SECONDS = 5.0
_LONGEST = 300


class StartReport:
    """Writer that owns standard output; what others print there goes to standard error."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._lines = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def stage(self, name: str) -> None:
        self._tell({"stage": name})

    def note(self, text: str) -> None:
        self._tell({"note": text})

    def part(self, name: str, pid: int | None) -> None:
        if pid is not None:
            self._tell({"part": name, "pid": pid})

    def deployment(self, name: str, *, running: int, of: int, why: str) -> None:
        self._tell({"deployment": name, "running": running, "of": of, "why": why})

    def environment(self, environment: Mapping[str, str]) -> None:
        self._tell({"environment": dict(environment)})

    def up(self, address: Mapping[str, Any]) -> None:
        self._tell({"up": dict(address)})

    def failed(self, why: str, *, usage: bool) -> None:
        self._tell({"failed": why, "usage": usage})

    def _tell(self, said: Mapping[str, Any]) -> None:
        self._lines.write(strict_json.written(said) + "\n")
        self._lines.flush()


@contextmanager
def telling(tell: StartReport, deployments: Callable[[], Mapping[str, Any]]) -> Iterator[None]:
    """Tell how far Serve's deployments are, while the block waits for them."""
    done = threading.Event()
    thread = threading.Thread(target=_watch, args=(tell, deployments, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(_LAST_SECONDS)


def last_line(message: str) -> str:
    """Last line of a message, which is where a traceback says what happened."""
    lines = message.strip().splitlines() or [""]
    return lines[-1].strip()[:_LONGEST]


def _watch(
    tell: StartReport, deployments: Callable[[], Mapping[str, Any]], done: threading.Event
) -> None:
    told: dict[str, Any] = {}
    last = False
    while not last:
        last = done.wait(_LOOK_SECONDS)
        for name, one in deployments().items():
            states = {state: number for state, number in one.replica_states.items() if number}
            now = {"running": states.get("RUNNING", 0), "of": sum(states.values())}
            now["why"] = last_line(one.message)
            if told.get(name) != now:
                told[name] = now
                tell.deployment(name, **now)
