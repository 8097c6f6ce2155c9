"""Rules on sizes: each pod fits on a node that its pool may start, within the pool's limits."""

import math
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from cdk.manifests.base import Manifest
from cdk.manifests.instances import at_most
from cdk.manifests.nodes import GPU
from cdk.manifests.rules.requirements import INSTANCE_TYPE, allowed_values, known_instances
from cdk.manifests.rules.rule import Group, Objects, Rule
from models.capacity import Instance
from models.quantities import GIB, quantity

_INSTANCE = "karpenter.k8s.aws/instance-"
_GIB_A_CORE = {"c": 2, "m": 4}
"""Memory of EC2's general instances for each core, by their category."""


def _limits_in_whole_nodes(objects: Objects) -> Iterator[str]:
    """Find limits that whole nodes exceed.

    Karpenter starts no node that alone goes beyond a limit, though the pod it is for would not.
    """
    groups: defaultdict[str, list[Group]] = defaultdict(list)
    for name, group, _ in objects.pooled:
        groups[name].append(group)
    for name, members in groups.items():
        pool = objects.named("NodePool")[name]["spec"]
        for resource, limit in pool.get("limits", {}).items():
            for instance_type in allowed_values(pool, INSTANCE_TYPE):
                instance = at_most(instance_type)
                if fault := _never_started(resource, quantity(limit), instance, members):
                    yield f"{name}: {resource} {limit} on {instance_type}: {fault}"


def _never_started(
    resource: str, limit: Decimal, instance: Instance, groups: list[Group]
) -> str | None:
    """Say what never starts if all nodes are of one type; `None` where all can start."""
    each = instance.gpus if resource == GPU else instance.cpus
    nodes = [
        math.ceil(group.spec["maxReplicas"] / fitting)
        for group in groups
        if (fitting := _fitting_pods(instance, group))
    ]
    if nodes and each > limit:
        return f"no node ever starts, for one has {each}"
    if sum(nodes) * each > limit:
        return (
            f"{' and '.join(map(str, nodes))} nodes may be asked for, of {each} each:"
            " where the first are full, the last kind of capacity never comes"
        )
    return None


def _pod_fits_instance(objects: Objects) -> Iterator[str]:
    for _, group, pool in objects.pooled:
        instances = known_instances(pool)
        if instances and not any(_fitting_pods(one, group) for one in instances.values()):
            yield (
                f"{group.name}: a pod of {group.requested('cpu')} cores,"
                f" {group.requested('memory') / GIB:.0f} GiB and {group.requested(GPU)} GPUs"
                f" fits on none of {', '.join(instances)}"
                " (pod.cpu, pod.memory, nodes.instanceTypes)"
            )


def _head_fits(objects: Objects) -> Iterator[str]:
    """Find a head for which the pool without a GPU has no node.

    The second head of an upgrade, and one whose system node ended, have no other place.
    """
    yield from _too_large(objects, [objects.head], "rayCluster.headCpu, rayCluster.headMemory")


def _ingest_fits(objects: Objects) -> Iterator[str]:
    ingest = [group for group in objects.workers if group.pool is None]
    yield from _too_large(objects, ingest, "rayCluster.ingestCpu, rayCluster.ingestMemory")
    clusters = 1 if objects.ray_service["spec"]["upgradeStrategy"]["type"] == "None" else 2
    wanted = _cores_taken(objects, objects.head)
    # Of the most pods one is there for another that goes away.
    most = {group.name: group.spec["maxReplicas"] - 1 for group in ingest}
    wanted += sum(_cores_taken(objects, group) * most[group.name] for group in ingest)
    for name, pool in _pools_without_taint(objects):
        limit = pool.get("limits", {}).get("cpu")
        if limit is not None and clusters * wanted > quantity(limit):
            yield (
                f"{name}: heads and ingest of {clusters} Ray clusters want"
                f" {clusters * wanted:.1f} cores of {limit} (ingest.replicas or maxReplicas,"
                " rayCluster.ingestWorkers, ingestCpu, headCpu, or upgrade: None)"
            )


def _too_large(objects: Objects, groups: list[Group], settings: str) -> Iterator[str]:
    for name, pool in _pools_without_taint(objects):
        cores = max(map(int, allowed_values(pool, f"{_INSTANCE}cpu")), default=0)
        categories = allowed_values(pool, f"{_INSTANCE}category")
        gib = max((_GIB_A_CORE[category] for category in categories), default=0)
        node = Instance(cores, cores * gib)
        for group in groups:
            if cores and not node.pods(*_pod_size(objects, group), 0):
                yield (
                    f"{group.name}: its pod fits on no node of {name},"
                    f" the largest of {node.cpus} cores and {node.memory} GiB ({settings})"
                )


def _pod_size(objects: Objects, group: Group) -> tuple[float, float]:
    """Return cores and GiB that a pod requests, for the head with the autoscaler beside it."""
    autoscaler = objects.ray_cluster.get("autoscalerOptions", {}).get("resources", {})
    beside = autoscaler.get("requests", {}) if group is objects.head else {}
    cpus = group.requested("cpu") + quantity(beside.get("cpu", 0))
    return float(cpus), float((group.requested("memory") + quantity(beside.get("memory", 0))) / GIB)


def _cores_taken(objects: Objects, group: Group) -> float:
    """Return the cores of a node that a pod takes at least: its memory takes some along."""
    cpus, gib = _pod_size(objects, group)
    return max(cpus, gib / max(_GIB_A_CORE.values()))


def _pools_without_taint(objects: Objects) -> list[tuple[str, Manifest]]:
    """Return the pools on whose nodes any pod may be, by name, with their spec."""
    specs = [(name, pool["spec"]) for name, pool in objects.named("NodePool").items()]
    return [(name, spec) for name, spec in specs if not spec["template"]["spec"].get("taints")]


def _group_can_start(objects: Objects) -> Iterator[str]:
    for _, group, _ in objects.pooled:
        if group.spec["maxReplicas"] < 1:
            yield f"{group.name}: maxGpus is less than the GPUs of one replica"


def _fitting_pods(instance: Instance, group: Group) -> int:
    """Return how many of a group's pods fit on one instance."""
    cpus, gib = float(group.requested("cpu")), float(group.requested("memory") / GIB)
    return instance.pods(cpus, gib, int(group.requested(GPU)))


RULES = (
    Rule("limits-in-whole-nodes", _limits_in_whole_nodes),
    Rule("pod-fits-instance", _pod_fits_instance),
    Rule("head-fits", _head_fits),
    Rule("ingest-fits", _ingest_fits),
    Rule("group-can-start", _group_can_start),
)
