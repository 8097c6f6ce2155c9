"""A runtime as a Serve deployment: how many replicas it has, and what each gets."""

from collections.abc import Mapping
from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy, RequestRouterConfig

from deployments.autoscaling.autoscaler import Autoscaler
from deployments.autoscaling.safe_policy import SafePolicy
from deployments.routing.request_router import AffinityRouter
from deployments.serving import MakeReplica, ServedReplica, stop_seconds
from models.settings.groups import Runtime, Tasks
from models.settings.scaling import BoundedScaling

ENVIRONMENT: Mapping[str, str] = {
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    # Ray's agent collects metrics every 10 s; by default Serve hands them on ten times a second.
    "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "5000",
}
"""Environment of every deployment: its requests, its router and Serve share one event loop.

Ours never block theirs, so the threads that Serve has between them by default only cost: a gap
between two tasks of 1.8 to 3.6 ms instead of 1.2 (docs/performance.md).
"""

_TOLD_SECONDS = 2.0
"""Seconds between two times that Serve's controller asks a replica what it has."""
_TOLD_A_SECOND = 100
"""Most replicas that it asks in a second, of as many as there may be."""
_LOOK_BACK_SECONDS = 11.0  # Serve warns of less than the 10 s between two counts


def deploy(
    runtime: Runtime,
    make: MakeReplica,
    *,
    scaling: BoundedScaling,
    tasks: Tasks,
    turns_resources: Mapping[str, float] | None = None,
    router: RequestRouterConfig | None = None,
) -> Application:
    """Make the Serve application of one runtime's replicas.

    ``turns_resources``: Ray's own resources of nodes that may have the actor which the replicas
    share. Without any, it may be on a GPU node, which is then never idle. ``router``: that of the
    replicas' handles, if it is not the `AffinityRouter`.
    """
    threads = str(max(1, int(runtime.cpus)))  # more threads than cores make torch many times slower
    deployment = serve.deployment(
        ServedReplica,
        name=runtime.name,
        autoscaling_config=followed(
            scaling.min_replicas,
            scaling.max_replicas,
            Autoscaler,
            {
                "scaling": scaling.model_dump(mode="json", by_alias=True),
                "lease_seconds": tasks.lease_seconds,
            },
        ),
        max_ongoing_requests=runtime.admit,
        request_router_config=router or _affinity(scaling),
        ray_actor_options={
            "num_cpus": runtime.cpus,
            "num_gpus": runtime.gpus,
            "resources": dict(runtime.resources),
            # Here, so that they hold however Serve was started: `atelier up`, `serve run`, KubeRay.
            "runtime_env": {"env_vars": {**ENVIRONMENT, "OMP_NUM_THREADS": threads}},
        },
        # Ingest logs how each task ended; Serve would log each call besides.
        logging_config={"enable_access_log": False},
        # Serve's default is 10 s. Each check also keeps a renewal's turn, which lapses after 60 s.
        health_check_period_s=5,
        # Serve's default is 30 s. Three such checks in a row are a replica that stands still.
        health_check_timeout_s=10,
        # For a replica that scaling or a new version lets go; on a drained node it limits itself.
        graceful_shutdown_timeout_s=stop_seconds(tasks),
        # Serve sleeps this long before each look whether a replica is idle; by default 2 s.
        graceful_shutdown_wait_loop_s=1,
    )
    return deployment.bind(make, tasks, turns_resources or {})


def _affinity(scaling: BoundedScaling) -> RequestRouterConfig:
    """Configure our router; the more replicas there may be, the less often each is asked."""
    return RequestRouterConfig(
        request_router_class=AffinityRouter,
        request_routing_stats_period_s=max(_TOLD_SECONDS, scaling.max_replicas / _TOLD_A_SECOND),
    )


def followed(
    least: int, most: int, policy: type[SafePolicy], arguments: Mapping[str, Any]
) -> AutoscalingConfig:
    """Let a policy of ours decide, made with these arguments; Serve's own delays do nothing."""
    # No `initial_replicas`: a redeployment would go back to it, whatever runs.
    return AutoscalingConfig(
        min_replicas=least,
        max_replicas=most,
        policy=AutoscalingPolicy(policy_function=policy, policy_kwargs=dict(arguments)),
        upscale_delay_s=0,
        downscale_delay_s=0,
        downscale_to_zero_delay_s=0,
        # Before it asks a policy, Serve starts a replica for requests that it counts at zero
        # replicas. Its counts are as old as this, and the lowest forgets those that have ended.
        look_back_period_s=_LOOK_BACK_SECONDS,
        aggregation_function="min",
        target_ongoing_requests=1,  # unused, but never more than a replica admits
    )
