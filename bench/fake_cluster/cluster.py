"""Ray cluster with fake nodes: started, looked at, its nodes killed and drained, and ended.

It touches no other Ray: all its processes have a variable of their own in their environment, by
which they are found and killed; its ports are free ones of loopback.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil

from bench.fake_cluster.node_provider import BILL, REFUSED
from bench.fake_cluster.worker_groups import autoscaling
from cdk.manifests import Manifest
from models.loopback import LOOPBACK
from serve_app.local.ray_cluster import ENVIRONMENT, make_token

MARK = "ATELIER_FAKE_CLUSTER"
_HEAD_ID = "f" * 51 + "00000"  # the fake provider's own name for it
_PORTS = ("port", "dashboard-port", "dashboard-agent-listen-port", "ray-client-server-port")
"""Options of `ray start` whose ports are fixed by default, and so another Ray's."""
_START_SECONDS = 90.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.1
STARTED = "Ray runtime started"
_BIN = Path(sys.prefix) / "bin"
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Entry:
    """Entry in the bill of the fake cloud."""

    what: str
    """``launched``, ``ready``, ``ended`` or ``refused``."""
    node: str
    group: str
    at: float
    """Seconds since the epoch."""


class FakeCluster:
    """Client of a running cluster, by its dashboard and Ray's commands."""

    def __init__(
        self, home: Path, gcs: str, dashboard: str, environment: Mapping[str, str]
    ) -> None:
        self.home = home
        self.gcs = gcs
        self.dashboard = dashboard
        self.environment = environment
        token = Path(environment["RAY_AUTH_TOKEN_PATH"]).read_text()
        self.http = httpx.Client(
            base_url=dashboard, headers={"authorization": f"Bearer {token}"}, timeout=30
        )

    @property
    def bill(self) -> Sequence[Entry]:
        """Launches and ends of nodes so far, in their order."""
        path = self.home / BILL
        lines = path.read_text().splitlines() if path.exists() else []
        return [Entry(**json.loads(line)) for line in lines]

    def nodes(self, ending: str = "") -> Mapping[str, str]:
        """Return the group of each node that there is, by its id, if its name ends so."""
        there: dict[str, str] = {}
        for entry in self.bill:
            if entry.what == "launched":
                there[entry.node] = entry.group
            elif entry.what == "ended":
                there.pop(entry.node, None)
        return {node: group for node, group in there.items() if group.endswith(ending)}

    def refuse(self, *groups: str) -> None:
        """Let these groups get no node any more, and all others get theirs."""
        (self.home / REFUSED).write_text("\n".join(groups))

    def kill(self, node: str) -> None:
        """Kill a node with all that runs on it, without notice."""
        (raylet,) = (one for one in self._processes() if f"--node_id={node}" in one.cmdline())
        kill_node(raylet)

    def drain(self, node: str, seconds: int) -> None:
        """Give notice of a node's end, as what watches Spot does; the node itself stays."""
        command = [str(_BIN / "ray"), "drain-node", "--address", self.gcs, "--node-id", node]
        command += ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "notice"]
        command += ["--deadline-remaining-seconds", str(seconds)]
        subprocess.run(
            command, env=self.environment, check=True, capture_output=True, timeout=_START_SECONDS
        )

    def deploy(self, config: Mapping[str, Any]) -> None:
        """Hand Serve its configuration, as KubeRay does."""
        self.http.put("/api/serve/applications/", json=config).raise_for_status()

    def serving(self) -> Mapping[str, Any]:
        """Return the state of Serve's applications by their names."""
        answer = self.http.get("/api/serve/applications/")
        answer.raise_for_status()
        applications: Mapping[str, Any] = answer.json()["applications"]
        return applications

    def _processes(self) -> Iterator[psutil.Process]:
        return marked_processes(self.environment[MARK])

    def close(self) -> None:
        self.http.close()


@contextmanager
def fake_cluster(
    ray_service: Manifest, home: Path, environment: Mapping[str, str], *, start_seconds: int
) -> Iterator[FakeCluster]:
    """Run a cluster with the groups of this RayService, in a folder with a short path.

    ``start_seconds``: after so long Ray gives up a node that does not start, and tries another
    group; in the RayService it is minutes.

    Raises:
        RuntimeError: it did not start.
    """
    ports = free_ports()
    gcs = f"{LOOPBACK}:{ports['port']}"
    config = home / "autoscaling.json"  # JSON is YAML
    config.write_text(json.dumps(autoscaling(ray_service, gcs, home)))
    given = {**_environment(home, start_seconds), **environment}
    with _head(config, home, ports, given):
        cluster = FakeCluster(home, gcs, f"http://{LOOPBACK}:{ports['dashboard-port']}", given)
        try:
            yield cluster
        finally:
            cluster.close()


def kill_node(raylet: psutil.Process) -> None:
    """Kill a node's raylet and all that it has started."""
    # The raylet last: it would start anew what ends before.
    raylet.suspend()
    for process in [*raylet.children(recursive=True), raylet]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def free_ports() -> Mapping[str, int]:
    """Find a free port of loopback for each option of `ray start` that takes one."""
    with ExitStack() as stack:
        # All at once: a port that is free again may be given a second time.
        sockets = {name: stack.enter_context(socket.socket()) for name in _PORTS}
        for one in sockets.values():
            one.bind((LOOPBACK, 0))
        return {name: one.getsockname()[1] for name, one in sockets.items()}


def _environment(home: Path, start_seconds: int) -> Mapping[str, str]:
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        # Ray's autoscaler imports the node provider, which is in no package that is installed.
        "PYTHONPATH": os.pathsep.join(paths),
        **ENVIRONMENT,
        **make_token(home),
        MARK: uuid4().hex,
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "1",
        "RAY_CLOUD_INSTANCE_ID": _HEAD_ID,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": _HEAD_ID,
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "AUTOSCALER_METRIC_PORT": "0",
        "RAY_AUTOSCALER_RECONCILE_ALLOCATE_STATUS_TIMEOUT_S": str(start_seconds),
        # Else Ray notices after half a minute that a node is gone.
        "RAY_health_check_initial_delay_ms": "1000",
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_timeout_ms": "1000",
        "RAY_health_check_failure_threshold": "3",
    }


@contextmanager
def _head(
    config: Path, home: Path, ports: Mapping[str, int], environment: Mapping[str, str]
) -> Iterator[None]:
    options = {
        **ports,
        "num-cpus": 0,
        "num-gpus": 0,
        "object-store-memory": 80 * 2**20,
        "temp-dir": home / "ray",
        "autoscaling-config": config,
    }
    command = [str(_BIN / "ray"), "start", "--head", "--block"]
    command += [f"--{name}={value}" for name, value in options.items()]
    log = home / "head.log"
    with (
        log.open("w") as out,
        subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT) as process,
    ):
        try:
            wait_for_start(process, log)
            yield
        finally:
            end_marked(environment[MARK])


def wait_for_start(process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while STARTED not in log.read_text():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"Ray did not start: {log.read_text()}")
        time.sleep(_POLL_SECONDS)


def marked_processes(mark: str) -> Iterator[psutil.Process]:
    """Find the processes with this mark in their environment."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark:
                yield process


def end_marked(mark: str) -> None:
    """Kill all processes with this mark, and those that they start meanwhile.

    Raises:
        RuntimeError: some are left.
    """
    end = time.monotonic() + _STOP_SECONDS
    while left := list(marked_processes(mark)):
        if time.monotonic() > end:
            raise RuntimeError(f"processes are left: {left}")
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(_POLL_SECONDS)
