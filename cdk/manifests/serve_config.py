"""Serve config of the cluster: the settings as the application's arguments, without secrets."""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from cdk.manifests import checkpoints
from cdk.manifests.pods import SERVE_PORT
from models.errors import SettingsError
from models.runtimes import runtime_type
from models.settings import Settings
from models.settings.credentials import credential_paths

INGEST_RESOURCE = "ingest-place"
"""Custom Ray resource that only the workers of ingest have."""
INGEST_CORE = "ingest-core"
"""Custom Ray resource for the whole cores of ingest's workers. Where ingest may have several
replicas, each takes one: Ray counts a tenth of a core for each, and would fill one pod with all."""
RESOURCE_AMOUNT = 1000
"""Amount of such a resource on each pod: so many that only cores and GPUs bound the replicas."""
_KEEP_ALIVE_SECONDS = 4_060
"""Keep-alive of Serve's proxy, longer than any load balancer's (4,000 s): else the balancer sends
into connections that were just closed."""
_STDOUT = "/proc/1/fd/1"
"""Standard output of the container's first process, which the cluster's log collects."""
# Only infrastructure reads these; a change of them must not start the replicas anew. What a check
# of the settings needs of them is kept: the application checks its settings as well.
NOT_SERVED = (
    "vpc", "cluster", "rayCluster", "images", "storage", "edge", "front", "clusterComponents",
    "apiKeysFile",
)  # fmt: skip
_NOT_OF_RUNTIME = ("namespace", "chartRepository", "chartVersion", "extraValues", "pod")
SERVED_OF_GROUP = {"alarms": ("starvedMinutes",), "nodes": ("capacity", "maxGpus")}


def runtime_resource(runtime: str) -> str:
    """Name the custom Ray resource that only a runtime's pods have.

    KubeRay takes one whose name ends in ``gpu`` for the GPUs themselves; this never does.
    """
    return f"{runtime}-place-of-runtime"


def serve_config(settings: Settings) -> str:
    """Render the YAML text of `spec.serveConfigV2`.

    Raises:
        SettingsError: a credential would stand in it.
    """
    config = {
        # A proxy on each node would keep an idle node up until it has drained, half a minute more.
        "proxy_location": "HeadOnly",
        "http_options": {
            "host": "0.0.0.0",  # noqa: S104 - a pod's; the network policy says who comes in
            "port": SERVE_PORT,
            "keep_alive_timeout_s": _KEEP_ALIVE_SECONDS,
        },
        "applications": [
            {
                "name": "atelier",
                "route_prefix": "/",
                "import_path": "serve_app.app:build",
                "args": arguments(settings),
            }
        ],
    }
    return yaml.safe_dump(config, sort_keys=False)


def arguments(settings: Settings) -> dict[str, Any]:
    """Return the settings for the application, with each replica confined to its own pods.

    Raises:
        SettingsError: a credential would stand in them.
    """
    args = _drop(NOT_SERVED, settings.without_secrets())
    ingress = args.setdefault("ingress", {})
    ingress["resources"] = ingress.get("resources", {}) | {INGEST_RESOURCE: 1}
    if settings.ingest.most > 1:
        ingest = args.setdefault("ingest", {})
        ingest["resources"] = ingest.get("resources", {}) | {INGEST_CORE: 1}
    networks = (settings.vpc.cidr, *settings.vpc.more_cidrs)  # the load balancer connects from them
    ingress.setdefault("trustedProxies", [str(network) for network in networks])
    args["modelsRuntime"] = [_runtime(one) for one in args["modelsRuntime"]]
    args["aws"] = settings.aws.model_dump(by_alias=True)
    args["checkpoints"] = checkpoints.FOLDER
    args.setdefault("logFile", _STDOUT)
    found = list(credential_paths(args))
    if found:
        raise SettingsError(
            f"{found[0]}: a credential would stand in a manifest; give it to the image, or mount it"
        )
    return args


def _runtime(given: Mapping[str, Any]) -> dict[str, Any]:
    """Confine a runtime to its own pods, and start its server where its image has it."""
    args = _drop(_NOT_OF_RUNTIME, given)
    args["resources"] = args.get("resources", {}) | {runtime_resource(args["name"]): 1}
    if type_ := runtime_type(args["type"]):
        args["options"] = type_.in_cluster(args.get("options", {}))
    return args


def _drop(names: Iterable[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Drop settings by name, and all of some groups but the settings that are served."""
    left = {key: value for key, value in given.items() if key not in names}
    for group, served in SERVED_OF_GROUP.items():
        of_group = left.pop(group, {})
        if kept := {name: of_group[name] for name in served if name in of_group}:
            left[group] = kept
    return left
