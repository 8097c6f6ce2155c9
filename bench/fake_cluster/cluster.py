"""Ray cluster with fake nodes: started, looked at, its nodes killed and drained, and ended."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.fake_cluster.node_provider import BILL, REFUSED
from bench.fake_cluster.worker_groups import autoscaling
from bench.own_ray import BIN, free_ports, kill_node, marked_environment, own_processes, ray_head
from cdk.manifests import Manifest
from models.loopback import LOOPBACK

_HEAD_ID = "f" * 51 + "00000"  # the fake provider's own name for it
_DRAIN_SECONDS = 90.0
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
        (raylet,) = (
            one for one in own_processes(self.environment) if f"--node_id={node}" in one.cmdline()
        )
        kill_node(raylet)

    def drain(self, node: str, seconds: int) -> None:
        """Give notice of a node's end, as what watches Spot does; the node itself stays."""
        command = [str(BIN / "ray"), "drain-node", "--address", self.gcs, "--node-id", node]
        command += ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "notice"]
        command += ["--deadline-remaining-seconds", str(seconds)]
        subprocess.run(
            command, env=self.environment, check=True, capture_output=True, timeout=_DRAIN_SECONDS
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
    options = {"num-cpus": 0, "num-gpus": 0, "autoscaling-config": config}
    with ray_head(home, ports, given, options):
        cluster = FakeCluster(home, gcs, f"http://{LOOPBACK}:{ports['dashboard-port']}", given)
        try:
            yield cluster
        finally:
            cluster.close()


def _environment(home: Path, start_seconds: int) -> Mapping[str, str]:
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **marked_environment(home),
        # Ray's autoscaler imports the node provider, which is in no package that is installed.
        "PYTHONPATH": os.pathsep.join(paths),
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
