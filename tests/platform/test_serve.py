"""The repository's own Serve config file, by Ray's own commands."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from models.settings import Settings
from samples.local import Local
from serve_app.embedded import EmbeddedAws, free_port, provisioned
from tests.platform.conftest import CONFIG, message, until

ROOT = CONFIG.parent
SLOW = 480.0  # seconds; a replica imports torch, and the machine may be busy
SERVE = str(Path(sys.prefix) / "bin" / "serve")


@dataclass(frozen=True)
class Served:
    """A platform under `serve run`."""

    local: Local
    said: Path
    environment: Mapping[str, str]

    @property
    def dashboard(self) -> str:
        found = re.search(r"http://127\.0\.0\.1:\d+", self.said.read_text())
        assert found
        return found[0]


def config(folder: Path, port: int, **args: Any) -> Path:
    """The repository's own file, on a port of our own."""
    file: dict[str, Any] = yaml.safe_load((ROOT / "serve.yaml").read_text())
    file["http_options"]["port"] = port
    file["applications"][0]["args"].update(args)
    path = folder / "serve.yaml"
    path.write_text(yaml.safe_dump(file))
    return path


@pytest.fixture
def served(embedded_aws: EmbeddedAws, tmp_path: Path) -> Iterator[Served]:
    port = free_port(0, "HTTP")
    environment = os.environ | embedded_aws.environment
    environment |= {"RAY_ADDRESS": "local", "RAY_AUTH_MODE": "disabled"}
    environment |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    environment["ATELIER_APIKEYS"] = json.dumps([{"name": "test", "key": "local"}])
    settings = Settings.read(CONFIG, {"checkpoints": str(ROOT / "samples" / "models")})
    with pytest.MonkeyPatch.context() as patch:
        for name, value in embedded_aws.environment.items():
            patch.setenv(name, value)
        provisioned(settings)
    address = {
        "url": f"http://127.0.0.1:{port}",
        "aws_endpoint": embedded_aws.endpoint,
        "api_key": "local",
        "tasks_topic": settings.arn("sns", settings.tasks_topic),
        "results_topic": settings.arn("sns", settings.results_topic),
        "output_bucket": settings.output_bucket,
    }
    # A shell that starts us in the background lets us, and those whom we start, ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    said = tmp_path / "said"
    command = [SERVE, "run", str(config(tmp_path, port))]
    with (
        said.open("w") as out,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            yield Served(Local(address), said, environment)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()


@pytest.mark.ray
@pytest.mark.timeout(3 * SLOW)
def test_serve_run_and_serve_deploy_take_the_repositorys_file(
    served: Served, tmp_path: Path
) -> None:
    until(lambda: is_running(served, config="config.yaml"), SLOW)
    served.local.submit(message("served", prompt="a red circle on a blue background", steps=12))
    told = until(lambda: [one for one in served.local.notifications() if "result" in one], SLOW)
    assert told[0]["status"] == "completed"

    port = int(served.local.address["url"].rpartition(":")[2])
    again = config(tmp_path, port, tasks={"maxAttempts": 2})
    deploy = [SERVE, "deploy", "--address", served.dashboard, str(again)]
    subprocess.run(deploy, cwd=ROOT, env=served.environment, check=True, capture_output=True)

    until(lambda: is_running(served, tasks={"maxAttempts": 2}), SLOW)


def is_running(served: Served, **args: Any) -> bool:
    """Whether the application runs with these arguments."""
    try:
        shown = httpx.get(f"{served.dashboard}/api/serve/applications/", timeout=10).json()
    except (httpx.TransportError, AssertionError):  # no dashboard yet
        return False
    found = shown["applications"].get("atelier", {"status": "", "deployed_app_config": {}})
    given = (found["deployed_app_config"] or {}).get("args", {})
    return found["status"] == "RUNNING" and all(given.get(k) == v for k, v in args.items())
