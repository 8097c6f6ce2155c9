"""Configuration of Ray's autoscaler for the groups of a RayService, as KubeRay's own part reads it.

Written for Ray 2.60: what it calls is private.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray.autoscaler._private.kuberay.autoscaling_config import (
    _derive_autoscaling_config_from_ray_cr,
)

from bench.fake_cluster.node_provider import FakeNodes
from cdk.manifests import Manifest


def autoscaling(ray_service: Manifest, gcs_address: str, folder: Path) -> Mapping[str, Any]:
    """Return the autoscaler's configuration, with fake nodes in the place of pods."""
    cluster = {
        "metadata": ray_service["metadata"],
        "spec": ray_service["spec"]["rayClusterConfig"],
    }
    derived: dict[str, Any] = _derive_autoscaling_config_from_ray_cr(cluster)
    provider = {
        "type": "external",
        "module": f"{FakeNodes.__module__}.{FakeNodes.__qualname__}",
        "gcs_address": gcs_address,
        "folder": str(folder),
        "head": derived["head_node_type"],
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
    }
    return derived | {"provider": provider}
