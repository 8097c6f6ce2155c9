"""Ray cluster of this machine alone, and the application on it."""

import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from models.errors import SettingsError, Unavailable
from models.machine import Machine
from models.serve_replicas import CPUS
from models.settings import Settings
from models.settings.checks import gpu_faults
from serve_app.local.signals import leave_on_signals
from serve_app.local.start_report import StartReport, last_line, reporting_deployments

if TYPE_CHECKING:
    from ray.serve import Application

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Else Serve starts no replica of a version whose update failed, whatever is mended meanwhile,
    # until another one is deployed.
    "RAY_SERVE_STOP_FAILED_ROLLING_UPDATES": "0",
    # Serve starts a proxy that died anew when three checks have failed; by default one comes ten
    # seconds after the other, and HTTP is away for so long.
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "0.4",
    # Else Serve kills a proxy that needs more than 15 s to start, and `serve deploy` fails of it.
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "20",
    # Else Serve waits for the runs of a replica that stands still, for as long as they may take.
    "RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS": "1",
    # Else Ray takes the machine's outer address, whatever it is told, and listens everywhere.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # The demand is measured no more often; by default Serve asks our policy ten times a second.
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
    # Else Ray looks for new files of logs ten times a second, and for new events as often.
    "LOG_NAME_UPDATE_INTERVAL_S": "2",
    "RAY_LOG_MONITOR_MANY_FILES_THRESHOLD": "0",
    "EVENT_AGENT_REPORT_INTERVAL_SECONDS": "2",
    # And gathers figures of nodes and processes each 5 or 10 seconds, which nobody reads so often.
    "REPORTER_UPDATE_INTERVAL_MS": "15000",
    "RAY_metrics_report_interval_ms": "15000",
    "METRICS_RECORD_INTERVAL_S": "15",
    "SCAN_EVENT_DIR_INTERVAL_SECONDS": "10",
    # Events of calls are for the dashboard; memory is looked at once a second, not four times.
    "RAY_task_events_report_interval_ms": "5000",
    "RAY_memory_monitor_refresh_ms": "1000",
    "GCS_CHECK_ALIVE_INTERVAL_SECONDS": "15",
    "RAY_DASHBOARD_AGGREGATOR_AGENT_CHECK_MAIN_THREAD_LIVENESS_INTERVAL_SECONDS": "1",
}
"""Environment variables of a Ray that runs the platform on one machine."""
_RAY_PROCESSES = frozenset({"raylet", "gcs_server"})
_RAY_REMEDY = "it needs memory, and room in the folder for temporary files (TMPDIR)"
_NAME = "atelier"


@contextmanager
def running_ray(settings: Settings, home: Path, report: StartReport) -> Iterator[str]:
    """Run a Ray cluster on loopback while the block runs; yield its dashboard's URL.

    Raises:
        Unavailable: Ray did not start.
        SettingsError: the runtimes ask for more GPUs than Ray finds.
    """
    os.environ.update(make_token(home))
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray  # noqa: PLC0415 - two seconds, and it reads the environment

    try:
        context = ray.init(
            address="local",  # else Ray may join one that runs here already
            num_cpus=max(os.cpu_count() or 1, cpus_for(settings)),
            include_dashboard=True,
            dashboard_host="127.0.0.1",
            _node_ip_address="127.0.0.1",
            _temp_dir=str(home / "ray"),  # for its sockets: paths of 107 bytes at most
            log_to_driver=False,
            logging_level="error",
        )
    except Exception as exc:  # it raises plain ones, too
        raise Unavailable(f"Ray did not start{_without_paths(exc)}; {_RAY_REMEDY}") from exc
    for child in psutil.Process().children():
        if child.name() in _RAY_PROCESSES:
            report.write(part=f"Ray's {child.name()}", pid=child.pid)
    leave_on_signals()  # Ray put its own in the place of ours
    try:
        check_gpus(settings, ray.cluster_resources().get("GPU", 0))
        yield f"http://{context.dashboard_url}"
    finally:
        ray.shutdown()


def _without_paths(exc: Exception) -> str:
    """Return the last line of a Ray error; empty if it names a file, which will be removed."""
    words = last_line(str(exc))
    return "" if "/" in words or not words else f" ({words})"


def make_token(home: Path) -> Mapping[str, str]:
    """Write a new token into a file; return the environment that makes this Ray ask for it.

    Without one, Ray makes or reuses the token of the user's account.
    """
    path = home / "ray-token"
    # Closed to others before it has the token, not after.
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(32))
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path)}


def cpus_for(settings: Settings) -> int:
    """Return the CPUs that Ray must believe in to place every replica, and one to spare.

    On a laptop the replicas share what cores there are.
    """
    runtimes = settings.models_runtime
    drawing = sum(settings.scaling_of(one).max_replicas * one.cpus for one in runtimes)
    others = float(CPUS * (settings.ingress.replicas + settings.ingest.most))
    return int(max(1, others) + drawing) + 1


def check_gpus(settings: Settings, available: float) -> None:
    """Refuse settings that ask for more GPUs than there are: replicas would wait for ever.

    Raises:
        SettingsError: the runtimes ask for more.
    """
    if fault := next(gpu_faults(settings, Machine(gpus=int(available))), None):
        raise SettingsError(fault)


@contextmanager
def serving(settings: Settings, port: int, report: StartReport) -> Iterator[None]:
    """Serve the application at a port of loopback; it answers when the block begins.

    Raises:
        Unavailable: a deployment did not start.
    """
    from ray import serve  # noqa: PLC0415

    from serve_app.app import assemble  # noqa: PLC0415

    logging.getLogger("ray.serve").setLevel(logging.WARNING)  # of this process alone
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
    try:
        _run(assemble(settings), report)
        yield
    finally:
        serve.shutdown()


def _run(application: "Application", report: StartReport) -> None:
    """Deploy the application and wait until it answers; there is no deadline.

    Raises:
        Unavailable: a deployment did not start; says why of each.
    """
    from ray import serve  # noqa: PLC0415

    def deployments() -> Mapping[str, Any]:
        found: Mapping[str, Any] = serve.status().applications[_NAME].deployments
        return found

    try:
        with reporting_deployments(report, deployments):
            serve.run(application, name=_NAME, route_prefix="/")
    except RuntimeError as exc:
        reasons = {
            name: last_line(status.message)
            for name, status in deployments().items()
            if status.message
        }
        ill = "; ".join(f"{name} did not start: {why}" for name, why in reasons.items())
        raise Unavailable(ill or "the application did not start") from exc
