"""Node of a Ray cluster on this machine: `python -m bench.chaos.node GCS RESOURCE`.

Ray's own command refuses a second node on loopback.
"""

import signal
import sys
from uuid import uuid4

from bench.fake_cluster.node_provider import started_node
from bench.own_ray import STARTED
from serve_app.local.signals import end_with_parent


def main(gcs_address: str, resource: str) -> None:
    """Start a node with one CPU and one of the resource, say so, and stay."""
    end_with_parent()
    node_id = uuid4().hex + uuid4().hex[:24]  # 56 hex digits, as Ray's own
    started_node(node_id, resource, gcs_address, {"CPU": 1, resource: 1}, {})
    print(STARTED, flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
