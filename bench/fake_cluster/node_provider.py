"""Cloud of the fake cluster: Ray's autoscaler asks it for nodes, and gets processes on loopback.

It writes what it did to a file, which is the bill; another file says whom it refuses. Written for
Ray 2.60: its base class is private.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray._private.node import Node
from ray._private.parameter import RayParams
from ray.autoscaler._private.fake_multi_node.node_provider import FakeMultiNodeProvider
from ray.autoscaler.tags import TAG_RAY_USER_NODE_TYPE

from models.loopback import LOOPBACK

BILL, REFUSED = "bill.jsonl", "refused"
"""Files in the provider's folder: launches and ends of nodes; groups that get none, a line each."""
_OBJECT_STORE_BYTES = 80 * 2**20  # Ray takes 75 MB at least


class FakeNodes(FakeMultiNodeProvider):  # type: ignore[misc] # Ray's classes have no types
    """Nodes as processes on loopback; a group that is refused gets nodes that never start.

    On AWS it is so: the pod is made and waits for a node, until Ray gives it up.
    """

    def __init__(self, provider_config: Mapping[str, Any], cluster_name: str) -> None:
        super().__init__(provider_config, cluster_name)
        self._folder = Path(provider_config["folder"])
        self._nodes[self._head_node_id]["tags"][TAG_RAY_USER_NODE_TYPE] = provider_config["head"]

    def is_running(self, node_id: str) -> bool:
        with self.lock:
            node = self._nodes.get(node_id)
        return node is not None and (node_id == self._head_node_id or "node" in node)

    def create_node_with_resources_and_labels(
        self,
        node_config: Mapping[str, Any],
        tags: Mapping[str, str],
        count: int,
        resources: Mapping[str, float],
        labels: Mapping[str, str],
    ) -> None:
        """Start so many nodes of the group that the tags name; return when they run."""
        del node_config
        for _ in range(count):
            with self.lock:
                node_id = self._next_hex_node_id()
                self._nodes[node_id] = {"tags": dict(tags)}
            group = tags[TAG_RAY_USER_NODE_TYPE]
            if group in self._refused():
                self._note("refused", node_id, group)
                continue
            self._note("launched", node_id, group)
            node = started_node(node_id, group, self._gcs_address, resources, labels)
            with self.lock:
                if node_id in self._nodes:
                    self._nodes[node_id]["node"] = node
                    self._note("ready", node_id, group)
                    continue
            _kill(node)  # given up meanwhile

    def terminate_node(self, node_id: str) -> None:
        """End a node; one that never started is forgotten."""
        with self.lock:
            gone = self._nodes.pop(node_id)
        if "node" in gone:
            _kill(gone["node"])
        self._note("ended", node_id, gone["tags"][TAG_RAY_USER_NODE_TYPE])

    def _refused(self) -> set[str]:
        path = self._folder / REFUSED
        return set(path.read_text().split()) if path.exists() else set()

    def _note(self, what: str, node_id: str, group: str) -> None:
        line = {"what": what, "node": node_id, "group": group, "at": time.time()}
        with (self._folder / BILL).open("a") as bill:
            bill.write(json.dumps(line) + "\n")


def started_node(
    node_id: str,
    group: str,
    gcs_address: str,
    resources: Mapping[str, float],
    labels: Mapping[str, str],
) -> Node:
    """Start a node of this machine in the cluster with this GCS, as children of this process."""
    custom = {name: value for name, value in resources.items() if name not in _OWN}
    given = RayParams(
        node_ip_address=LOOPBACK,
        gcs_address=gcs_address,
        redis_address=gcs_address,
        min_worker_port=0,
        max_worker_port=0,
        dashboard_agent_listen_port=0,
        num_cpus=resources.get("CPU", 0),
        num_gpus=resources.get("GPU", 0),
        memory=resources.get("memory"),
        object_store_memory=_OBJECT_STORE_BYTES,
        resources=custom,
        labels=dict(labels),
        include_log_monitor=False,
        # By them the autoscaler knows the node again once it has joined.
        env_vars={
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": node_id,
            "RAY_CLOUD_INSTANCE_ID": node_id,
            "RAY_NODE_TYPE_NAME": group,
        },
    )
    return Node(given, head=False, shutdown_at_exit=False, spawn_reaper=False)


def _kill(node: Node) -> None:
    node.kill_all_processes(check_alive=False, allow_graceful=False)


_OWN = frozenset({"CPU", "GPU", "memory"})
"""Resources that Ray counts by itself."""
