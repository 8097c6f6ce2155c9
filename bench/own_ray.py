"""Ray of a measurement's own, whose processes may be killed.

It touches no other Ray: all its processes have a variable of their own in their environment, by
which they are found and killed; its ports are free ones of loopback.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from models.loopback import LOOPBACK
from serve_app.local.ray_cluster import ENVIRONMENT, make_token

STARTED = "Ray runtime started"
_MARK = "ATELIER_OWN_RAY"
_PORTS = ("port", "dashboard-port", "dashboard-agent-listen-port", "ray-client-server-port")
"""Options of `ray start` whose ports are fixed by default, and so another Ray's."""
_STORE_BYTES = 80 * 2**20
_START_SECONDS = 90.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.1
BIN = Path(sys.prefix) / "bin"


def marked_environment(home: Path) -> Mapping[str, str]:
    """Make the environment of a Ray whose token, and all that it writes, lie in this folder."""
    return {
        **os.environ,
        **ENVIRONMENT,
        **make_token(home),
        _MARK: uuid4().hex,
        "RAY_TMPDIR": str(home),
    }


def free_ports() -> Mapping[str, int]:
    """Find a free port of loopback for each option of `ray start` that takes one."""
    with ExitStack() as stack:
        # All at once: a port that is free again may be given a second time.
        sockets = {name: stack.enter_context(socket.socket()) for name in _PORTS}
        for one in sockets.values():
            one.bind((LOOPBACK, 0))
        return {name: one.getsockname()[1] for name, one in sockets.items()}


@contextmanager
def ray_head(
    home: Path, ports: Mapping[str, int], environment: Mapping[str, str], options: Mapping[str, Any]
) -> Iterator[None]:
    """Run a head, with more options of `ray start`, until the block ends; then all is killed.

    Raises:
        RuntimeError: it did not start.
    """
    common = {**ports, "object-store-memory": _STORE_BYTES, "temp-dir": home / "ray"}
    command = [str(BIN / "ray"), "start", "--head", "--block"]
    command += [f"--{name}={value}" for name, value in {**common, **options}.items()]
    log = home / "head.log"
    with (
        log.open("w") as out,
        subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT) as process,
    ):
        try:
            wait_for_start(process, log)
            yield
        finally:
            _end(environment)


def wait_for_start(process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until a process writes that its node runs.

    Raises:
        RuntimeError: it did not within 90 seconds.
    """
    end = time.monotonic() + _START_SECONDS
    while STARTED not in log.read_text():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"Ray did not start: {log.read_text()}")
        time.sleep(_POLL_SECONDS)


def own_processes(environment: Mapping[str, str]) -> Iterator[psutil.Process]:
    """Find the processes of the Ray with this environment."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(_MARK) == environment[_MARK]:
                yield process


def kill_node(raylet: psutil.Process) -> None:
    """Kill a node's raylet and all that it has started."""
    # The raylet last: it would start anew what ends before.
    raylet.suspend()
    for process in [*raylet.children(recursive=True), raylet]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _end(environment: Mapping[str, str]) -> None:
    """Kill all processes of this Ray, and those that they start meanwhile.

    Raises:
        RuntimeError: some are left.
    """
    end = time.monotonic() + _STOP_SECONDS
    while left := list(own_processes(environment)):
        if time.monotonic() > end:
            raise RuntimeError(f"processes are left: {left}")
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(_POLL_SECONDS)
