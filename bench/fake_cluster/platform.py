"""The platform on a fake cluster: the objects that the stack applies, on an emulator of AWS."""

import base64
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from bench.fake_cluster.cluster import FakeCluster, fake_cluster
from cdk.manifests.ray_service import ray_service
from models.loopback import LOOPBACK, free_port
from models.settings import Settings
from samples.environment import environment_variables
from samples.local import LocalPlatform
from serve_app.local.emulator import EmbeddedAws, provision_sync

_START_SECONDS = 20  # of a node, until Ray gives it up; one takes four on idle cores
_KEY = "fleet"
_ACCOUNT = "111122223333"  # not an emulator's zeros: what holds on AWS holds here
_READY_SECONDS = 120.0
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Fleet:
    """Running platform on a fake cluster."""

    cluster: FakeCluster
    platform: LocalPlatform

    def get(self, path: str) -> Any:
        """Return the answer of the HTTP API."""
        where = self.platform.address
        answer = httpx.get(where["url"] + path, headers={"x-api-key": where["api_key"]}, timeout=30)
        answer.raise_for_status()
        return answer.json()


def read_settings(*runtimes: Mapping[str, Any], **more: Any) -> Settings:
    """Read the settings of an installation with these runtimes."""
    given = {
        "stackName": "fleet",
        "modelBucketArn": "arn:aws:s3:::fleet-models",
        "aws": {"account": _ACCOUNT, "region": "us-east-1"},
        "modelsRuntime": runtimes,
    }
    return Settings.read(args=given | more)


@contextmanager
def running_fleet(settings: Settings) -> Iterator[Fleet]:
    """Run the platform of these settings until the block ends.

    Raises:
        RuntimeError: it did not start.
    """
    with (
        tempfile.TemporaryDirectory(prefix="fleet-", ignore_cleanup_errors=True) as folder,
        EmbeddedAws(region=settings.aws.region, account=settings.aws.account) as aws,
    ):
        home, environment = Path(folder), {**aws.environment, **_secrets()}
        with environment_variables(aws.environment):
            provision_sync(settings)
        service = ray_service(settings)
        with fake_cluster(service, home, environment, start_seconds=_START_SECONDS) as cluster:
            port = free_port(0, "HTTP")
            cluster.deploy(_here(yaml.safe_load(service["spec"]["serveConfigV2"]), home, port))
            _wait_until_served(cluster)
            yield Fleet(cluster, LocalPlatform(_address(settings, aws, port)))


def _secrets() -> Mapping[str, str]:
    secret = base64.b64encode(os.urandom(32)).decode()
    keys = [{"name": "fleet", "key": _KEY, "role": "operator"}]
    return {
        "ATELIER_APIKEYS": json.dumps(keys),
        "ATELIER_CALLBACKS__SECRET": f"whsec_{secret}",
    }


def _here(config: dict[str, Any], home: Path, port: int) -> Mapping[str, Any]:
    """Put what a pod has in the place of this machine's."""
    config["http_options"] |= {"host": LOOPBACK, "port": port}
    (application,) = config["applications"]
    application["args"] |= {"checkpoints": str(home), "logFile": str(home / "atelier.log")}
    return config


def _wait_until_served(cluster: FakeCluster) -> None:
    end = time.monotonic() + _READY_SECONDS
    while (application := cluster.serving().get("atelier", {})).get("status") != "RUNNING":
        if time.monotonic() > end or application.get("status") == "DEPLOY_FAILED":
            raise RuntimeError(f"the platform did not start: {application}")
        time.sleep(_POLL_SECONDS)


def _address(settings: Settings, aws: EmbeddedAws, port: int) -> Mapping[str, str]:
    names = settings.names
    return {
        "url": f"http://{LOOPBACK}:{port}",
        "aws_endpoint": aws.endpoint,
        "api_key": _KEY,
        "tasks_topic": names.arn("sns", names.tasks_topic),
        "results_topic": names.arn("sns", names.results_topic),
        "output_bucket": names.output_bucket,
    }
