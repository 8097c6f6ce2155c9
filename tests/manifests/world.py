"""Installations, and the objects that they get."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from ray.serve import Application

from cdk.manifests import Manifest, objects
from models.settings import Settings
from serve_app.app import Args, build
from tests.manifests.autoscaler import Demand

PROFILE = "gpu-nodes"
BACKEND: Mapping[str, Any] = {"backend": {"command": ["python", "main.py"], "folder": "/comfyui"}}


def runtime(name: str = "pictures", of: str = "comfyui", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": of, "options": BACKEND, **more}


def settings(*runtimes: Mapping[str, Any], **more: Any) -> Settings:
    given = {
        "stackName": "Easel",
        "modelBucketArn": "arn:aws:s3:::easel-models",
        "aws": {"account": "111122223333", "region": "eu-west-1"},
        "modelsRuntime": list(runtimes) or [runtime()],
    }
    return Settings.read(args=given | more)


def made(*runtimes: Mapping[str, Any], **more: Any) -> list[Manifest]:
    return objects(settings(*runtimes, **more), instance_profile=PROFILE)


def ray_service(*runtimes: Mapping[str, Any], **more: Any) -> Manifest:
    return made(*runtimes, **more)[-1]


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = (m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name))
    return found


def served(service: Manifest) -> Mapping[str, Any]:
    """Return Serve's configuration in the objects."""
    config: Mapping[str, Any] = yaml.safe_load(service["spec"]["serveConfigV2"])
    return config


def demands(service: Manifest) -> Mapping[str, list[Demand]]:
    """Return what the fewest replicas of each deployment, one at least, ask Ray for."""
    (application,) = served(service)["applications"]
    found = _deployments(build(Args(**application["args"])))
    return {one.name: [_demand(one.ray_actor_options)] * _replicas(one) for one in found}


def _replicas(deployment: Any) -> int:
    scaled = deployment._deployment_config.autoscaling_config  # noqa: SLF001 - not public
    replicas: int = deployment.num_replicas if scaled is None else scaled.min_replicas
    return max(1, replicas)


def _deployments(application: Application) -> Iterator[Any]:
    one = application._bound_deployment  # noqa: SLF001 - nothing public tells what is in it
    yield one
    for bound in one.init_args:
        inner = bound.values() if isinstance(bound, dict) else [bound]
        for application_ in inner:
            if isinstance(application_, Application):
                yield from _deployments(application_)


def _demand(options: Mapping[str, Any]) -> Demand:
    counted = {"CPU": options.get("num_cpus", 1), "GPU": options.get("num_gpus", 0)}
    return {**counted, **options.get("resources", {})}
