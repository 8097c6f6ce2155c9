"""`atelier aws status`: stack, queues, dead letters, alarms, replicas and nodes at a glance."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import typer

from cli.aws.backlog import backlogs, oldest
from cli.aws.installation import Installation
from cli.aws.kubernetes.cluster import Cluster
from cli.aws.kubernetes.ray_service import RayService
from cli.aws.sdk import AwsError
from cli.exit_codes import ENDED_BADLY
from cli.output import Output
from models.names import kube

_POOL = "karpenter.sh/nodepool"
_CAPACITY = "karpenter.sh/capacity-type"
_TYPE = "node.kubernetes.io/instance-type"


def status(installation: Installation) -> None:
    """Show how the installation is. Exit code 1: something asks for somebody to look."""
    known = {
        "stack": {
            "name": installation.stack.description["StackName"],
            "status": installation.stack.status,
        },
        "queues": list(_queues(installation)),
        "alarms": alarms(installation),
        **_cluster_report(installation),
    }
    if installation.as_json:
        installation.out.json(known)
    else:
        _show(installation, known)
    if _needs_attention(installation, known):
        raise typer.Exit(ENDED_BADLY)


def alarms(installation: Installation) -> list[Mapping[str, str]]:
    """Return the stack's alarms, with their states and reasons."""
    names = installation.stack.of_type("AWS::CloudWatch::Alarm")
    if not names:
        return []
    found = installation.aws.paginated(
        "cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=names
    )
    return [
        {
            "name": alarm["AlarmName"],
            "state": alarm["StateValue"],
            "why": alarm.get("StateReason", ""),
        }
        for alarm in found
    ]


def _queues(installation: Installation) -> Iterator[Mapping[str, Any]]:
    for backlog in backlogs(installation.aws, installation.settings):
        age = oldest(installation.aws, backlog.name) if backlog.total else None
        yield {**asdict(backlog), "oldest_seconds": age}


def _cluster_report(installation: Installation) -> Mapping[str, Any]:
    """Return what the cluster reports; the error if it does not answer."""
    try:
        cluster = installation.cluster
        service = RayService.of(cluster, installation.settings)
        return {
            "service": {"serves": service.serves, "text": service.text},
            "replicas": service.deployments,
            "pods": _pods(cluster, installation),
            "nodes": _nodes(cluster),
        }
    except AwsError as exc:
        return {"cluster": str(exc)}


def _pods(cluster: Cluster, installation: Installation) -> list[Mapping[str, str]]:
    namespace = installation.settings.ray_cluster.namespace
    of = f"app.kubernetes.io/instance={kube.ray_service(installation.settings.names)}"
    found = cluster.get(f"/api/v1/namespaces/{namespace}/pods?labelSelector={of}")
    return [
        {"name": pod["metadata"]["name"], "phase": pod["status"]["phase"]} for pod in found["items"]
    ]


def _nodes(cluster: Cluster) -> list[Mapping[str, str]]:
    """Return pool, type and capacity of each node; system nodes have no pool."""
    labels = [node["metadata"]["labels"] for node in cluster.get("/api/v1/nodes")["items"]]
    return [
        {
            "pool": node_labels.get(_POOL, "system"),
            "type": node_labels.get(_TYPE, ""),
            "capacity": node_labels.get(_CAPACITY, "on-demand"),
        }
        for node_labels in labels
    ]


def _needs_attention(installation: Installation, known: Mapping[str, Any]) -> bool:
    """Tell whether somebody should look.

    Events of checkpoints wait in their queue and are harmless.
    """
    harmless = installation.settings.names.checkpoint_events
    dead = [entry for entry in known["queues"] if entry["last_stop"] and entry["name"] != harmless]
    alarmed = any(entry["state"] == "ALARM" for entry in known["alarms"])
    return alarmed or any(map(_total, dead)) or not installation.stack.is_whole


def _total(queue: Mapping[str, Any]) -> int:
    return int(queue["waiting"] + queue["held"] + queue["delayed"])


def _show(installation: Installation, known: Mapping[str, Any]) -> None:
    out = installation.out
    service = known.get("service", {}).get("text") or known.get("cluster")
    out.pairs({"stack": known["stack"]["status"], "service": service})
    _table(out, known["queues"], ("name", "waiting", "held", "delayed", "oldest_seconds"))
    alarmed = [alarm for alarm in known["alarms"] if alarm["state"] != "OK"]
    _table(out, alarmed, ("name", "state", "why"))
    replicas = [{"name": name, "is": how} for name, how in known.get("replicas", {}).items()]
    _table(out, replicas, ("name", "is"))
    _table(out, known.get("pods", ()), ("name", "phase"))
    _table(out, known.get("nodes", ()), ("pool", "type", "capacity"))


def _table(out: Output, rows: Sequence[Mapping[str, Any]], heads: Sequence[str]) -> None:
    """Print a table, or nothing if it has no rows."""
    if rows:
        out.line("")
        out.table(heads, [[_cell(row[head]) for head in heads] for row in rows])


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
