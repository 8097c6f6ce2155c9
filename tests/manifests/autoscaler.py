"""Ray's own autoscaler on a cluster that nobody started; all its private parts are used here."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ray.autoscaler._private.kuberay.autoscaling_config import (
    _derive_autoscaling_config_from_ray_cr,
)
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
from ray.autoscaler.v2.utils import ResourceRequestUtil

from cdk.manifests import Manifest

Demand = Mapping[str, float]
"""Resources that an actor asks for: `CPU`, `GPU`, and ours."""


@dataclass(frozen=True)
class Plan:
    """Decision of the autoscaler."""

    started: Mapping[str, int]
    """Pods by worker group."""
    impossible: int
    """Demands that nothing could ever meet."""


def plan(
    ray_service: Manifest,
    demands: Iterable[Demand] = (),
    availability: Mapping[str, float] | None = None,
) -> Plan:
    """Plan for a cluster without a worker; a group where a pod waited in vain has 0 as its most."""
    config = _config(ray_service)
    asked = [ResourceRequestUtil.make(dict(demand)) for demand in demands]
    request = SchedulingRequest(
        disable_launch_config_check=True,
        node_type_configs=config.get_node_type_configs(),
        max_num_nodes=config.get_max_num_nodes(),
        resource_requests=ResourceRequestUtil.group_by_count(asked),
        recoverable_resource_availabilities=dict(availability or {}),
    )
    reply = ResourceDemandScheduler(None).schedule(request)
    started = Counter({one.instance_type: one.count for one in reply.to_launch})
    return Plan(started=started, impossible=len(reply.infeasible_resource_requests))


def idle_seconds(ray_service: Manifest) -> Mapping[str, float]:
    """Return the seconds for which each worker group's pods do nothing before they go."""
    groups = _config(ray_service).get_node_type_configs().items()
    return {name: one.idle_timeout_s for name, one in groups if one.idle_timeout_s is not None}


def patience(ray_service: Manifest) -> tuple[int, int]:
    """Seconds for a pod to start, and for one that nothing asks for any more, as Ray reads them."""
    options = ray_service["spec"]["rayClusterConfig"]["autoscalerOptions"]
    asked = (
        "from ray.autoscaler.v2.instance_manager import config as c;"
        "start = c.InstanceReconcileConfig().allocate_status_timeout_s;"
        "print([start, c.RAY_AUTOSCALER_PENDING_NODE_IDLE_TIMEOUT_S])"
    )
    env = {one["name"]: one["value"] for one in options["env"]}
    done = subprocess.run(
        [sys.executable, "-c", asked], env=os.environ | env, capture_output=True, check=True
    )
    start, unwanted = json.loads(done.stdout)
    return start, unwanted


def _config(ray_service: Manifest) -> AutoscalingConfig:
    cluster = {
        "metadata": ray_service["metadata"],
        "spec": ray_service["spec"]["rayClusterConfig"],
    }
    return AutoscalingConfig(_derive_autoscaling_config_from_ray_cr(cluster))
