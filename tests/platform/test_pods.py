"""`ray-cluster.yaml` on one machine: a Ray with the environment and the resources of its pods."""

import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.loopback import free_port
from tests.platform.own_ray import ROOT, done, emulator, folder, ray_head, shell
from tests.platform.watching import LONG, assert_serves

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]
KEYS = "ATELIER_APIKEYS"
Manifest = Mapping[str, Any]


@pytest.fixture
def home() -> Iterator[Path]:
    with folder() as home:
        yield home


def test_the_environment_of_the_pods_serves(home: Path) -> None:
    service, port = ray_service(), free_port(0, "HTTP")
    config = adapted(yaml.safe_load(service["serveConfigV2"]), home, port)
    (home / "serve.yaml").write_text(yaml.safe_dump(config))
    (home / "config.yaml").write_text(yaml.safe_dump(config["applications"][0]["args"]))
    groups = pods(service["rayClusterConfig"])
    assert any(is_given_the_keys(group) for group in groups)
    with emulator(home / "config.yaml", home) as exported:
        environment = {**added(exported, home), **environment_of(groups)}
        with ray_head(environment, home, *resources_of(groups)) as dashboard:
            given = str(home / "serve.yaml")
            done(["serve", "deploy", "--address", dashboard, given], environment)

            assert_serves(f"http://127.0.0.1:{port}", "local", {"seed": 1})
    assert '"message": "task_ended"' in (home / "events").read_text()


def ray_service() -> Manifest:
    objects = yaml.safe_load_all((ROOT / "ray-cluster.yaml").read_text())
    spec: Manifest = next(one["spec"] for one in objects if one["kind"] == "RayService")
    return spec


def pods(cluster: Manifest) -> list[Manifest]:
    """Return a cluster's groups of pods: the head, ingest, and each runtime's by its capacity."""
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def container(group: Manifest) -> Manifest:
    found: Manifest = group["template"]["spec"]["containers"][0]
    return found


def is_given_the_keys(group: Manifest) -> bool:
    return "envFrom" in container(group)


def environment_of(groups: list[Manifest]) -> Mapping[str, str]:
    """Return the environment that the manifest itself gives to Ray's processes."""
    return {one["name"]: one["value"] for group in groups for one in container(group)["env"]}


def resources_of(groups: list[Manifest]) -> list[str]:
    """Return the resources of a node for one pod of each group, as options of `ray start`."""
    offered = {name: float(n) for group in groups for name, n in group.get("resources", {}).items()}
    offered.pop("CPU")
    return ["--num-cpus=8", "--num-gpus=1", f"--resources={json.dumps(offered)}"]


def added(exported: Mapping[str, str], home: Path) -> Mapping[str, str]:
    """Add what else a pod has: from Kubernetes, KubeRay, Pod Identity, the Secret; the loopback."""
    aws = {name: value for name, value in exported.items() if name.startswith("AWS_")}
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    loopback = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    kubernetes = {"KUBERNETES_SERVICE_HOST": "127.0.0.1"}  # in every pod; nobody answers here
    return {**shell(home), **aws, **token, **loopback, **kubernetes, KEYS: exported[KEYS]}


def adapted(config: dict[str, Any], home: Path, port: int) -> dict[str, Any]:
    """Change Serve's configuration where one machine without weights and servers cannot run it."""
    config["http_options"] |= {"host": "127.0.0.1", "port": port}
    args = config["applications"][0]["args"]
    args |= {"checkpoints": str(home), "logFile": str(home / "events")}
    args["modelsRuntime"] = [{**args["modelsRuntime"][0], "type": "fake", "options": LONG}]
    return config
