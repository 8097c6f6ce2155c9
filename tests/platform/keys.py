"""The platform on a Ray of its own, built with one key in the environment, run with another.

Says its URL in a line, and ends with its input.
"""

import json
import os
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import ray
from ray import serve

from models.loopback import free_port
from models.settings import Settings
from serve_app.app import assemble


def secret(key: str) -> str:
    """Return the secret that signs callbacks beside an API key."""
    return "whsec_" + b64encode(key.encode().ljust(32)).decode()


def give(key: str) -> None:
    os.environ["ATELIER_APIKEYS"] = json.dumps([{"name": "us", "key": key}])
    os.environ["ATELIER_CALLBACKS__SECRET"] = secret(key)


def main(home: Path, config: Path, before: str, after: str) -> None:
    give(before)
    application: Any = assemble(Settings.read(config))
    give(after)
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        _temp_dir=str(home),
        log_to_driver=False,
    )
    port = free_port(0, "HTTP")
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
    serve.run(application, name="keys", route_prefix="/")
    sys.stdout.write(f"http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
