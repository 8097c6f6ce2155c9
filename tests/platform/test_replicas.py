"""Replicas with a backend of their own, over a real Ray: killed, broken, bloated."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from tests.deployments.small_adapter import BACKEND as SMALL
from tests.platform.conftest import CONFIG, until

pytestmark = pytest.mark.ray
T = TypeVar("T")
BACKEND = str(SMALL)
RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # else it listens beyond loopback
    "RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS": "1",
}
SLOW = 120.0  # seconds; the machine may be busy


class Replicas:
    """Two replicas, and what a client and the system see of them."""

    def __init__(self, process: "subprocess.Popen[str]", home: Path) -> None:
        self.process = process
        self.home = home

    def start(self, **content: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(content) + "\n")
        self.process.stdin.flush()

    def heard(self) -> Mapping[str, Any]:
        """The next line that it says, without what Ray prints of processes that died."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                heard: Mapping[str, Any] = json.loads(line)
                return heard
        raise AssertionError("it has ended")

    def ended(self) -> str:
        """Return the status with which the next of the tasks ended, or its error."""
        said = self.heard()
        return str(said.get("status") or said["error"])

    def replicas(self) -> set[psutil.Process]:
        """Return the replicas' processes whose backend has started."""
        held = (_ask(backend.parents) for backend in self.backends())
        return {parents[1] for parents in held if parents}  # the first is the supervisor

    def backends(self) -> set[psutil.Process]:
        """Return the backends' processes that have started their child."""
        there = psutil.Process(self.process.pid).children(recursive=True)
        small = [one for one in there if BACKEND in (_ask(one.cmdline) or ())[:3]]
        return {one for one in small if _ask(one.children)}


def _ask(question: Callable[[], T]) -> T | None:
    try:
        return question()
    except psutil.Error:  # it has just ended
        return None


@pytest.fixture(scope="module")
def two() -> Iterator[Replicas]:
    with (
        # Short, as the paths of sockets must be; Ray's last processes may still write to it.
        tempfile.TemporaryDirectory(prefix="atelier-", ignore_cleanup_errors=True) as home,
        subprocess.Popen(
            [sys.executable, "-m", "tests.platform.replicas", home],
            cwd=CONFIG.parent,
            env=os.environ | RAY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        made = Replicas(process, Path(home))
        assert made.heard() == {"ready": True}
        yield made


def test_two_backends_that_leak_are_renewed_one_at_a_time(two: Replicas) -> None:
    """Let starts take longer than Serve takes to ask both replicas, so that two would overlap."""
    old, replicas = two.backends(), two.replicas()
    (two.home / "slowly").write_text("7")
    for _ in range(8):  # whichever replica Serve chooses
        two.start(get="/leak/200")

    seen: set[int] = set()

    def both_renewed() -> bool:
        there = two.backends()
        seen.add(len(there))
        return len(there) == 2 and not there & old

    until(both_renewed, SLOW)

    assert seen == {1, 2}
    ends = [two.ended() for _ in range(8)]
    # One that came to a server as that went is handed back; ingest would send it again.
    handed_back = ends.count("RayTaskError(RuntimeUnavailable)")
    assert handed_back <= len(old)
    assert ends.count("completed") == len(ends) - handed_back
    assert two.replicas() == replicas
    (two.home / "slowly").unlink()


def test_one_that_stands_still_is_replaced_and_its_task_is_handed_back(two: Replicas) -> None:
    """Serve checks the health of none that still starts, so both run by now."""
    two.start(get="/bear/1", seconds=1_000)
    until(lambda: any(len(backend.children()) == 2 for backend in two.backends()), SLOW)
    hung = two.replicas()

    for replica in hung:
        replica.suspend()

    assert two.ended() == "ActorDiedError"
    until(lambda: len(two.replicas() - hung) == 2, SLOW)
    until(lambda: not any(map(is_alive, hung)), SLOW)
    two.start()
    assert two.ended() == "completed"


def test_a_replica_whose_backend_dies_is_replaced_at_once_and_leaves_nothing(two: Replicas) -> None:
    replicas = two.replicas()
    dying = next(iter(two.backends()))
    below = dying.children()

    dying.kill()

    until(lambda: len(two.replicas()) == 2 and two.replicas() != replicas, SLOW)
    assert not any(map(is_alive, [dying, *below]))
    two.start()
    assert two.ended() == "completed"


def test_a_killed_replica_leaves_nothing_behind(two: Replicas) -> None:
    killed = next(iter(two.replicas()))
    below = killed.children(recursive=True)
    assert len(below) >= 3  # the supervisor, the backend, its child

    killed.kill()

    until(lambda: not any(map(is_alive, below)))
    until(lambda: len(two.replicas()) == 2, SLOW)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
