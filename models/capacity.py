"""Bounds of replicas, and the pods that these need and an instance has room for.

Serve, the cluster's objects, the quotas that a deployment needs and the estimate of costs count
alike.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the settings themselves ask for the bounds
    from models.settings.cloud import RayCluster
    from models.settings.groups import Ingest, Runtime
    from models.settings.scaling import BoundedScaling

CPU_NODES = (2, 4, 8)
"""Cores of the nodes that Karpenter may add for what needs no GPU."""
_MOST_UNSET = 5
"""Most replicas on AWS where neither ``scaling.maxReplicas`` nor ``nodes.maxGpus`` is set."""


@dataclass(frozen=True)
class Instance:
    """Instance type of EC2, by what it has."""

    cpus: int
    memory: float
    """GiB of memory."""
    gpus: int = 0
    nvme: bool = False
    """Flag: it has NVMe disks of its own, which outlive no stop and cost nothing more."""
    listed: bool = True
    """Flag: its size is known; on a type without, a node is counted for each pod."""

    @property
    def free_cpus(self) -> float:
        """Cores left to pods: the kubelet's share, and that of what runs on every node."""
        return self.cpus - 0.5

    @property
    def free_memory(self) -> float:
        """GiB left to pods: Karpenter counts on 7.5 % less than is written on the box."""
        # The share is Karpenter's own default of `vmMemoryOverheadPercent`.
        return self.memory * 0.925 - 1.5

    def pods(self, cpus: float, memory: float, gpus: int) -> int:
        """Return how many pods of this size fit: cores, GiB, GPUs."""
        if not self.listed:
            return 1
        rooms = [(self.free_cpus, cpus), (self.free_memory, memory), (self.gpus, gpus)]
        return int(min((there / wanted for there, wanted in rooms if wanted), default=0))


def bounded_scaling(runtime: "Runtime", *, on_aws: bool) -> "BoundedScaling":
    """Fill in the bounds of a runtime's scaling.

    ``on_aws``: nodes come as replicas need them, down to none; else all is on one machine. More at
    least than ``nodes.maxGpus`` allows are cut to that; `models.settings.checks` refuses them.
    """
    most = most_replicas(runtime, on_aws=on_aws)
    return runtime.scaling.bounded(min(_least_replicas(runtime, on_aws=on_aws), most), most)


def scaling_here(runtime: "Runtime", gpus: int | None) -> "BoundedScaling":
    """Fill in the bounds of a runtime's scaling for a machine with so many GPUs to itself.

    ``gpus``: None if it is not known, then they bound nothing.
    """
    bounds = bounded_scaling(runtime, on_aws=False)
    if gpus is None or not runtime.gpus:
        return bounds
    room = max(1, int(gpus / Decimal(str(runtime.gpus))))
    most = max(bounds.min_replicas, min(bounds.max_replicas, room))
    return bounds.bounded(bounds.min_replicas, most)


def _least_replicas(runtime: "Runtime", *, on_aws: bool) -> int:
    if runtime.replicas is not None:
        return runtime.replicas
    least = runtime.scaling.min_replicas
    return least if least is not None else int(not on_aws)


def most_replicas(runtime: "Runtime", *, on_aws: bool) -> int:
    """Return the most replicas: the lower of what replicas and, on AWS, GPUs are bounded by."""
    set_ = runtime.replicas or runtime.scaling.max_replicas
    allowed = replicas_by_gpus(runtime) if on_aws else None
    if allowed is None:
        least = max(_least_replicas(runtime, on_aws=on_aws), runtime.scaling.most_by_hours)
        return set_ or max(least, _MOST_UNSET if on_aws else 1)
    # One at least: `models.settings.checks` refuses GPUs that do not suffice for one.
    return max(1, min(set_ or allowed, allowed))


def replicas_by_gpus(runtime: "Runtime") -> int | None:
    """Return the replicas that ``nodes.maxGpus`` allows on AWS, 0 too; None if it is not set."""
    pods = _pods_by_gpus(runtime)
    return None if pods is None else pods * replicas_of_pod(runtime)


def pods_at_most(runtime: "Runtime") -> int:
    """Return the pods of each kind of capacity that a runtime may have on AWS; 0: too few GPUs."""
    wanted = pods_for(runtime, most_replicas(runtime, on_aws=True))
    by_gpus = _pods_by_gpus(runtime)
    return wanted if by_gpus is None else min(wanted, by_gpus)


def _pods_by_gpus(runtime: "Runtime") -> int | None:
    """Return the pods that ``nodes.maxGpus`` allows, and so many of those without a GPU."""
    most = runtime.nodes.max_gpus
    return None if most is None else most // max(1, gpus_of_pod(runtime))


def pods_for(runtime: "Runtime", replicas: int) -> int:
    """Return the pods that so many replicas need."""
    return math.ceil(replicas / replicas_of_pod(runtime))


def replicas_of_pod(runtime: "Runtime") -> int:
    """Return the replicas that share a pod's GPUs; 1 where they have none."""
    # Through a text, since as a float 0.1 is a little more than a tenth.
    return int(gpus_of_pod(runtime) / Decimal(str(runtime.gpus))) if runtime.gpus else 1


def pods_of_ingest(ingest: "Ingest", cluster: "RayCluster") -> tuple[int, int]:
    """Return the pods of the HTTP API and ingest for the fewest replicas of ingest, and for most.

    One more may be there while another goes away.
    """
    cores = math.ceil(cluster.ingest_cpu)
    least, most = (
        max(cluster.ingest_workers, math.ceil(replicas / cores))
        for replicas in (ingest.least, ingest.most)
    )
    return least, most


def cores_for_ingest(pods: int, cluster: "RayCluster", *, gib_a_core: int) -> int:
    """Return the cores of the nodes that so many pods of ingest need beside the system nodes.

    Each node is the smallest of the pool without GPUs that has room for a pod; ``gib_a_core``:
    memory of its kind.
    """
    for cores in CPU_NODES:
        node = Instance(cores, cores * gib_a_core)
        if fit := node.pods(cluster.ingest_cpu, cluster.ingest_memory, 0):
            return math.ceil(pods / fit) * cores
    return pods * CPU_NODES[-1]  # one that fits on none is refused with the objects


def gpus_of_pod(runtime: "Runtime") -> int:
    """Return the whole GPUs of a pod: replicas that share a GPU share a pod."""
    # Kubernetes hands out whole GPUs only; the parts of one are Ray's to share.
    return math.ceil(runtime.gpus)
