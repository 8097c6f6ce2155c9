"""Pods that an instance has room for, and pods that a runtime may have.

The cluster's objects, the quotas that a deployment needs and the estimate of costs count alike.
"""

import math
from dataclasses import dataclass

from models.settings.groups import Runtime


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


def pods_at_most(runtime: Runtime) -> int:
    """Return the pods of each kind of capacity: as many as GPUs allow; without any, ``maxGpus``."""
    return runtime.nodes.max_gpus // max(1, gpus_of_pod(runtime))


def gpus_of_pod(runtime: Runtime) -> int:
    """Return the whole GPUs of a pod: replicas that share a GPU share a pod."""
    # Kubernetes hands out whole GPUs only; the parts of one are Ray's to share.
    return math.ceil(runtime.gpus)
