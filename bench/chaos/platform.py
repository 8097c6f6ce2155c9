"""The platform under chaos: a Ray of our own and the fault proxy, whose processes may be killed."""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench.chaos.plan import FAR, RUNTIME
from bench.chaos.proxy_process import ProxyProcess, fault_proxy
from bench.own_ray import (
    free_ports,
    kill_node,
    marked_environment,
    own_processes,
    ray_head,
    wait_for_start,
)
from models.loopback import LOOPBACK, free_port
from models.settings import Settings
from samples.environment import environment_variables
from samples.local import LocalPlatform
from serve_app.local.emulator import EmbeddedAws, provision_sync
from serve_app.local.ray_cluster import cpus_for

KEY = "chaos"
_READY_SECONDS = 240.0
_POLL_SECONDS = 0.3
_HEALTH = {
    # A node that was killed is noticed after 5 s, by Ray's defaults after half a minute.
    "RAY_health_check_initial_delay_ms": "5000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "5",
}


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Parameters of the platform."""

    replicas: int
    gpu_ms: float
    fronts: int
    ingests: int
    far: bool
    """Flag: a second runtime runs on a node of its own."""
    callback_port: int


def configuration(setup: Setup, folder: Path) -> dict[str, Any]:
    """Write the settings of a platform whose simulated GPUs keep a log in this folder."""
    options = {"gpuMs": setup.gpu_ms, "log": str(gpu_log(folder)), "mayCrash": True}
    common = {
        "type": "fake",
        "gpus": 0,
        "cpus": 0.1,
        "admit": 4,
        "lookahead": 8,
        "options": options,
    }
    runtimes: list[dict[str, Any]] = [{"name": RUNTIME, "replicas": setup.replicas, **common}]
    if setup.far:
        runtimes.append({"name": FAR, "replicas": 2, "resources": {FAR: 0.01}, **common})
    return {
        "stackName": "chaos",
        "checkpoints": str(folder),
        "logFile": str(platform_log(folder)),
        "APIGW": {"throttle": {"rateLimit": 10_000, "burstLimit": 10_000}},
        "ingress": {"replicas": setup.fronts},
        "ingest": {"replicas": setup.ingests},
        "inputs": {"allowHosts": [f"{LOOPBACK}:{setup.callback_port}"]},
        "callbacks": {"retrySeconds": [1, 2, 4, 8, 15, 30]},
        "tasks": {"leaseSeconds": 10, "pollSeconds": 2, "drainSeconds": 5},
        "modelsRuntime": runtimes,
    }


def platform_log(folder: Path) -> Path:
    """Name the log of the platform's own events."""
    return folder / "atelier.log"


def gpu_log(folder: Path) -> Path:
    """Name the log of the simulated GPUs."""
    return folder / "gpu.jsonl"


class Platform:
    """Running platform: a client of it, the proxy before its AWS, and ways to harm it."""

    def __init__(
        self,
        *,
        settings: Settings,
        given: Mapping[str, Any],
        aws: EmbeddedAws,
        proxy: ProxyProcess,
        environment: Mapping[str, str],
        ports: Mapping[str, int],
        home: Path,
    ) -> None:
        self.settings = settings
        self.proxy = proxy
        self.home = home
        self.port = free_port(0, "HTTP")
        self._given = given
        self._aws = aws
        self._environment = environment
        self._gcs = f"{LOOPBACK}:{ports['port']}"
        self._dashboard = f"http://{LOOPBACK}:{ports['dashboard-port']}"
        self._deploys = 0
        self._node: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> Mapping[str, str]:
        """Address in the words of `samples.local`; AWS is told past the fault proxy."""
        names = self.settings.names
        return {
            "url": f"http://{LOOPBACK}:{self.port}",
            "aws_endpoint": self._aws.endpoint,
            "api_key": KEY,
            "callback_secret": self._environment["ATELIER_CALLBACKS__SECRET"],
            "tasks_topic": names.arn("sns", names.tasks_topic),
            "results_topic": names.arn("sns", names.results_topic),
            "output_bucket": names.output_bucket,
        }

    def client(self) -> LocalPlatform:
        return LocalPlatform(self.address)

    def deploy(self) -> None:
        """Hand Serve the configuration, each time one that no replica from before has.

        Raises:
            httpx.HTTPError: Serve's controller did not take it.
        """
        self._deploys += 1
        tasks = {**self._given["tasks"], "queueDays": 1 + self._deploys % 14}
        application = {
            "name": "atelier",
            "route_prefix": "/",
            "import_path": "serve_app.app:build",
            "args": {**self._given, "tasks": tasks},
        }
        config = {
            "proxy_location": "HeadOnly",
            "http_options": {"host": LOOPBACK, "port": self.port},
            "applications": [application],
        }
        self._api("PUT", json=config)

    def wait_until_ready(self) -> None:
        """Wait until all deployments run and HTTP answers.

        Raises:
            RuntimeError: they do not within four minutes.
        """
        end = time.monotonic() + _READY_SECONDS
        state: Any = None
        while time.monotonic() < end:
            with suppress(httpx.HTTPError):
                state = self._api("GET").json()["applications"].get("atelier", {})
                if state.get("status") == "RUNNING" and self._answers():
                    return
            if state and state.get("status") == "DEPLOY_FAILED":
                break
            time.sleep(_POLL_SECONDS)
        raise RuntimeError(f"the platform is not ready: {state}")

    def kill(self, deployment: str, draw: float, *, every: bool = False) -> Sequence[int]:
        """Kill a replica of a deployment, drawn by a number from 0 to 1, or each; return pids."""
        found = self._titled(f"ServeReplica:atelier:{deployment}")
        chosen = found if every else found[int(draw * len(found)) :][:1]
        return _killed(chosen)

    def kill_actor(self, title: str) -> Sequence[int]:
        """Kill Ray's actors whose process has this in its title."""
        return _killed(self._titled(title))

    def start_node(self) -> None:
        """Start a node that the second runtime runs on, and wait until it has joined.

        Raises:
            RuntimeError: it did not start.
        """
        command = [sys.executable, "-m", "bench.chaos.node", self._gcs, FAR]
        log = self.home / "node.log"
        with log.open("w") as out:
            self._node = subprocess.Popen(
                command, env=self._environment, stdout=out, stderr=subprocess.STDOUT
            )
        wait_for_start(self._node, log)

    def kill_node(self) -> Sequence[int]:
        """Kill the node with all that runs on it; return its raylet's pid."""
        if self._node is None:
            return ()
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self._node.pid).children(recursive=True)
            raylet = next((each for each in children if each.name() == "raylet"), None)
            if raylet is not None:
                kill_node(raylet)
            self._node.kill()
            self._node.wait()
            return [raylet.pid] if raylet else ()
        return ()

    def _api(self, method: str, **more: Any) -> httpx.Response:
        token = Path(self._environment["RAY_AUTH_TOKEN_PATH"]).read_text()
        url = f"{self._dashboard}/api/serve/applications/"
        headers = {"authorization": f"Bearer {token}"}
        return httpx.request(method, url, headers=headers, timeout=60, **more).raise_for_status()

    def _answers(self) -> bool:
        return httpx.get(f"{self.address['url']}/readyz", timeout=5).is_success

    def _titled(self, title: str) -> Sequence[psutil.Process]:
        """Find this Ray's processes with such a title, by their pids."""
        found = (
            process
            for process in own_processes(self._environment)
            if _title(process).startswith("ray::") and title in _title(process)
        )
        return sorted(found, key=lambda process: process.pid)


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has ended meanwhile
        return ""


def _killed(processes: Sequence[psutil.Process]) -> Sequence[int]:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return [process.pid for process in processes]


@contextmanager
def running_platform(setup: Setup, folder: Path, seed: int) -> Iterator[Platform]:
    """Run the platform until the block ends; its logs are kept in this folder.

    Raises:
        RuntimeError: it did not start.
    """
    given = configuration(setup, folder)
    with ExitStack() as stack:
        made = tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True)
        home = Path(stack.enter_context(made))  # short, as sockets' paths
        aws = stack.enter_context(EmbeddedAws())
        secrets = _secrets()
        environment = {**marked_environment(home), **_HEALTH, **aws.environment, **secrets}
        settings = Settings.read(args=given)
        with environment_variables(aws.environment):
            provision_sync(settings)
        proxy = stack.enter_context(fault_proxy(aws.port, seed))
        environment |= proxy.environment
        ports = free_ports()
        options = {"num-cpus": cpus_for(settings), "node-ip-address": LOOPBACK}
        stack.enter_context(ray_head(home, ports, environment, options))
        platform = Platform(
            settings=settings,
            given=given,
            aws=aws,
            proxy=proxy,
            environment=environment,
            ports=ports,
            home=home,
        )
        if setup.far:
            platform.start_node()
            stack.callback(platform.kill_node)
        platform.deploy()
        platform.wait_until_ready()
        yield platform


def _secrets() -> Mapping[str, str]:
    secret = base64.b64encode(os.urandom(32)).decode()
    keys = [{"name": "chaos", "key": KEY, "role": "operator"}]
    return {
        "ATELIER_APIKEYS": json.dumps(keys),
        "ATELIER_CALLBACKS__SECRET": f"whsec_{secret}",
    }
