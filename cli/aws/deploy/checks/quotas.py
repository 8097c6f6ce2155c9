"""Check the account's vCPU quotas of EC2 against what the settings may start."""

import math
import re
from collections.abc import Iterator, Mapping

from cli.aws.deploy.checks.finding import Finding
from cli.aws.sdk import Aws, suppressed
from models.capacity import (
    Instance,
    cores_for_ingest,
    gpus_of_pod,
    pods_at_most,
    pods_for,
    pods_of_ingest,
)
from models.settings import Runtime, Settings

Kind = tuple[str, str]
"""Capacity type and instance family; EC2 has a quota for each pair."""

_SYSTEM: Kind = ("on-demand", "standard")
# EC2 counts vCPUs, not instances. The codes are the same in every account and region.
_QUOTAS: Mapping[Kind, tuple[str, str]] = {
    _SYSTEM: ("L-1216C47A", "Running On-Demand Standard instances"),
    ("spot", "standard"): ("L-34B43A08", "All Standard Spot Instance Requests"),
    ("on-demand", "gvt"): ("L-DB2E81BA", "Running On-Demand G and VT instances"),
    ("spot", "gvt"): ("L-3819A6DF", "All G and VT Spot Instance Requests"),
    ("on-demand", "p"): ("L-417A185B", "Running On-Demand P instances"),
    ("spot", "p"): ("L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests"),
}
_SPARE = 8
"""vCPUs of the largest CPU node that Karpenter adds, such as for the second head of an upgrade.

The machine that makes a snapshot has 2.
"""
_LEAST_MEMORY, _MOST_MEMORY = 2, 4
"""GiB for each core of the nodes without GPUs, of which Karpenter takes either kind: c and m."""
_NOT_KNOWN = "NoSuchResourceException"
_FAMILIES: Mapping[str, str] = {
    **dict.fromkeys(("g", "gr", "vt"), "gvt"),
    "p": "p",
    **dict.fromkeys(("a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"), "standard"),
}
"""Quota families by the letters that an instance type begins with; others have own quotas."""


def quotas(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Compare each quota with the least that is needed and with the most that may be started."""
    wanted: dict[Kind, tuple[int, int]] = {}
    for kind, least, most in _vcpus(aws, settings):
        former = wanted.get(kind, (least, 0))
        # System nodes come first in `_vcpus`; their number is this quota's least.
        wanted[kind] = former[0] if kind == _SYSTEM else min(former[0], least), former[1] + most
    for kind, (least, most) in wanted.items():
        yield _quota(aws, kind, least, most)


def _vcpus(aws: Aws, settings: Settings) -> Iterator[tuple[Kind, int, int]]:
    """Yield the least and most vCPUs of the system nodes and of each runtime, by quota.

    Types that the region does not have are left out.
    """
    system, runtimes = settings.cluster_components, settings.models_runtime
    types = {
        system.instance_type,
        *(instance_type for runtime in runtimes for instance_type in runtime.nodes.instance_types),
    }
    sizes = _sizes(aws, types)
    if system.instance_type in sizes:
        nodes = system.desired_count * sizes[system.instance_type].cpus
        least, most = _for_ingest(settings)
        yield _SYSTEM, nodes + least, nodes + most + _SPARE
    for runtime in runtimes:
        upgrades = settings.ray_cluster.upgrade == "NewCluster"
        upgrade = pods_for(runtime, runtime.first_replicas) if upgrades else 0
        for family, least, most in _of_runtime(runtime, upgrade, sizes):
            for capacity in runtime.nodes.capacity:
                yield (capacity, family), least, most


def _for_ingest(settings: Settings) -> tuple[int, int]:
    """Return the least and most vCPUs for pods of ingest beyond the first, in each Ray cluster."""
    cluster = settings.ray_cluster
    least, most = pods_of_ingest(settings.ingest, cluster)
    clusters = 2 if cluster.upgrade == "NewCluster" else 1
    return (
        cores_for_ingest(least - 1, cluster, gib_a_core=_MOST_MEMORY),
        cores_for_ingest(clusters * (most - 1), cluster, gib_a_core=_LEAST_MEMORY),
    )


def _sizes(aws: Aws, types: set[str]) -> Mapping[str, Instance]:
    """Return the sizes of known types. A filter, unlike a list of types, may name unknown ones."""
    named = [{"Name": "instance-type", "Values": sorted(types)}]
    found = aws.paginated("ec2", "describe_instance_types", "InstanceTypes", Filters=named)
    return {
        described["InstanceType"]: Instance(
            described["VCpuInfo"]["DefaultVCpus"],
            described["MemoryInfo"]["SizeInMiB"] / 1024,
            sum(gpu["Count"] for gpu in described.get("GpuInfo", {}).get("Gpus", ())),
        )
        for described in found
    }


def _of_runtime(
    runtime: Runtime, upgrade: int, sizes: Mapping[str, Instance]
) -> Iterator[tuple[str, int, int]]:
    """Yield for each family the vCPUs of its smallest node, and of all nodes that may run at once.

    ``upgrade``: pods with which a new cluster begins; they may come to any kind of capacity.
    """
    pods = pods_at_most(runtime)
    families: dict[str, list[Instance]] = {}
    for kind in runtime.nodes.instance_types:
        if kind in sizes and (family := _family(kind)):
            families.setdefault(family, []).append(sizes[kind])
    for family, instances in families.items():
        most = max(
            (_nodes(runtime, instance, pods) + _nodes(runtime, instance, upgrade)) * instance.cpus
            for instance in instances
        )
        yield family, min(instance.cpus for instance in instances), most


def _nodes(runtime: Runtime, instance: Instance, pods: int) -> int:
    """Return how many nodes so many pods need, as the NodePool's limit counts them.

    A pod for which nothing is set has a share of the node for each GPU, and without one most
    of a node.
    """
    pod = runtime.pod
    fit = instance.pods(pod.cpu or 0, pod.memory or 0, gpus_of_pod(runtime))
    return math.ceil(pods / max(1, fit))


def _quota(aws: Aws, kind: Kind, least: int, most: int) -> Finding:
    code, name = _QUOTAS[kind]
    value = _quota_value(aws, code)
    remedy = (
        f"ask for {most} vCPUs: aws service-quotas request-service-quota-increase"
        f" --service-code ec2 --quota-code {code} --desired-value {most}"
    )
    if value is None:
        return Finding(name, "note", f"not told here; {least} vCPUs are needed, {most} may come")
    if value < least:
        what = f"one node needs {least}"
        if kind == _SYSTEM:
            what = f"{least} are those of the system nodes and of ingest's pods"
        return Finding(name, "missing", f"{value} vCPUs; {what}", remedy)
    if value < most:
        return Finding(name, "note", f"{value} vCPUs; with upgrades {most} may come", remedy)
    return Finding(name, "there", f"{value} vCPUs")


def _quota_value(aws: Aws, code: str) -> int | None:
    """Return the account's quota, else the default of new accounts; None if EC2 tells neither."""
    client = aws.client("service-quotas")
    # A quota that nobody ever changed may not be listed for an account; its default then holds.
    for call in (client.get_service_quota, client.get_aws_default_service_quota):
        with suppressed(_NOT_KNOWN):
            return int(call(ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"])
    return None


def _family(instance_type: str) -> str | None:
    """Return the quota family that an instance type counts to; None if it is none of these."""
    letters = re.match(r"[a-z]*", instance_type)
    return _FAMILIES.get(letters[0]) if letters else None
