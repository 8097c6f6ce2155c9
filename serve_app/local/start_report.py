"""Report on the platform's start, in lines of JSON, to the command that holds the process.

``{"stage"}``: the step that begins. ``{"part", "pid"}``: a process without which nothing works.
``{"note"}``: a remark on the configuration.
``{"deployment", "running", "of", "healthy", "why"}``: the progress of a deployment.
At the end of the start one of ``{"up"}`` with the address, ``{"environment"}`` of the embedded
AWS alone, and ``{"failed"}``; ``"usage"`` is true there if the configuration is to be mended.
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
    """Writer of the report, which owns standard output; others' prints go to standard error."""

    def __init__(self) -> None:
        sys.stdout.flush()
        # By descriptors: what is written in C or by child processes passes `sys.stdout` by.
        self._lines = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def write(self, **line: Any) -> None:
        """Write a line with these keys."""
        self._lines.write(strict_json.written(line) + "\n")
        self._lines.flush()


@contextmanager
def reporting_deployments(
    report: StartReport, deployments: Callable[[], Mapping[str, Any]]
) -> Iterator[None]:
    """Report the progress of Serve's deployments, while the block waits for them."""
    done = threading.Event()
    thread = threading.Thread(target=_watch, args=(report, deployments, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(_LAST_SECONDS)  # a look may hang at Serve's controller


def last_line(message: str) -> str:
    """Return the last line of a message, where a traceback says what happened."""
    lines = message.strip().splitlines() or [""]
    return lines[-1].strip()[:_LONGEST]


def _watch(
    report: StartReport, deployments: Callable[[], Mapping[str, Any]], done: threading.Event
) -> None:
    reported: dict[str, Any] = {}
    last = False
    while not last:
        # One more look after the end, for what changed since the one before.
        last = done.wait(_LOOK_SECONDS)
        for name, status in deployments().items():
            states = {state: number for state, number in status.replica_states.items() if number}
            now = {"running": states.get("RUNNING", 0), "of": sum(states.values())}
            now["healthy"] = status.status == "HEALTHY"
            now["why"] = last_line(status.message)
            if reported.get(name) != now:
                reported[name] = now
                report.write(deployment=name, **now)
