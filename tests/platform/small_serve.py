"""Serve on a small Ray of a program's own, and the lines by which the program tells its test."""

import json
import sys
from pathlib import Path
from typing import Any

import ray
from ray import serve


def start(home: Path) -> None:
    """Start Ray with two CPUs on loopback, its files in a folder, and Serve without a proxy."""
    ray.init(
        address="local",
        num_cpus=2,
        resources={"beside": 1},
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        _temp_dir=str(home),
        log_to_driver=False,
    )
    serve.start(proxy_location="Disabled")


def say(**words: Any) -> None:
    """Print a line of JSON, at once."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()
