"""A runtime as a Serve deployment: how many replicas it has, and what each gets."""

from collections.abc import Mapping

from ray import serve
from ray.serve import Application

from deployments.serving import MakeReplica, ServedReplica
from models.settings.groups import Runtime

ONE_LOOP: Mapping[str, str] = {
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
}
"""Environment of every deployment: its requests, its router and Serve share one event loop.

Ours never block theirs, so the threads that Serve has between them by default only cost: a gap
between two tasks of 1.8 to 3.6 ms instead of 1.2 (docs/performance.md).
"""


def deploy(
    runtime: Runtime,
    make: MakeReplica,
    *,
    drain_seconds: float,
    turns_resources: Mapping[str, float] | None = None,
) -> Application:
    """Make the Serve application of one runtime's replicas.

    ``turns_resources``: Ray's own resources of nodes that may have the actor which the replicas
    share. Without any, it may be on a GPU node, which is then never idle.
    """
    threads = str(max(1, int(runtime.cpus)))  # more threads than cores make torch many times slower
    deployment = serve.deployment(
        ServedReplica,
        name=runtime.name,
        num_replicas=runtime.first_replicas,
        max_ongoing_requests=runtime.admit,
        ray_actor_options={
            "num_cpus": runtime.cpus,
            "num_gpus": runtime.gpus,
            "resources": dict(runtime.resources),
            # Here, so that they hold however Serve was started: `atelier up`, `serve run`, KubeRay.
            "runtime_env": {"env_vars": {**ONE_LOOP, "OMP_NUM_THREADS": threads}},
        },
        # Serve's default is 10 s. Each check also keeps a renewal's turn, which lapses after 60 s.
        health_check_period_s=5,
        graceful_shutdown_timeout_s=drain_seconds,
        # Serve sleeps this long before it first looks whether a replica is idle; by default 2 s.
        graceful_shutdown_wait_loop_s=0.2,
    )
    return deployment.bind(make, turns_resources or {})
