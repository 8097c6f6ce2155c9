"""EC2 instances that a runtime may run on: what each has, as AWS lists it (2026-11)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Instance:
    cpus: int
    memory: int
    """GiB."""
    gpus: int = 0
    nvme: bool = False
    """Whether it has disks of its own, which outlive no stop and cost nothing more."""

    @property
    def free_cpus(self) -> float:
        """Cores left to pods: the kubelet's share, and that of what runs on every node."""
        return self.cpus - 0.5

    @property
    def free_memory(self) -> float:
        """GiB left to pods: Karpenter counts on 7.5 % less than is written on the box."""
        return self.memory * 0.925 - 1.5


INSTANCES: Mapping[str, Instance] = {
    "g4dn.xlarge": Instance(4, 16, gpus=1, nvme=True),
    "g4dn.2xlarge": Instance(8, 32, gpus=1, nvme=True),
    "g4dn.4xlarge": Instance(16, 64, gpus=1, nvme=True),
    "g4dn.12xlarge": Instance(48, 192, gpus=4, nvme=True),
    "g5.xlarge": Instance(4, 16, gpus=1, nvme=True),
    "g5.2xlarge": Instance(8, 32, gpus=1, nvme=True),
    "g5.4xlarge": Instance(16, 64, gpus=1, nvme=True),
    "g5.8xlarge": Instance(32, 128, gpus=1, nvme=True),
    "g5.12xlarge": Instance(48, 192, gpus=4, nvme=True),
    "g5.48xlarge": Instance(192, 768, gpus=8, nvme=True),
    "g6.xlarge": Instance(4, 16, gpus=1, nvme=True),
    "g6.2xlarge": Instance(8, 32, gpus=1, nvme=True),
    "g6.4xlarge": Instance(16, 64, gpus=1, nvme=True),
    "g6.8xlarge": Instance(32, 128, gpus=1, nvme=True),
    "g6.12xlarge": Instance(48, 192, gpus=4, nvme=True),
    "g6.48xlarge": Instance(192, 768, gpus=8, nvme=True),
    "g6e.xlarge": Instance(4, 32, gpus=1, nvme=True),
    "g6e.2xlarge": Instance(8, 64, gpus=1, nvme=True),
    "g6e.4xlarge": Instance(16, 128, gpus=1, nvme=True),
    "g6e.12xlarge": Instance(48, 384, gpus=4, nvme=True),
    "p4d.24xlarge": Instance(96, 1152, gpus=8, nvme=True),
    "p5.48xlarge": Instance(192, 2048, gpus=8, nvme=True),
    "c7i.2xlarge": Instance(8, 16),
    "c7i.4xlarge": Instance(16, 32),
    "m5.large": Instance(2, 8),
    "m7g.large": Instance(2, 8),
    "m7g.xlarge": Instance(4, 16),
    "m7g.2xlarge": Instance(8, 32),
    "m7i.large": Instance(2, 8),
    "m7i.xlarge": Instance(4, 16),
    "m7i.2xlarge": Instance(8, 32),
    "m7i.4xlarge": Instance(16, 64),
}
"""No more than are commonly used; one that is not here is not checked."""
_UNKNOWN = Instance(8, 32, gpus=1)


def share(instance_types: Iterable[str]) -> tuple[int, int]:
    """Cores and GiB for a pod with one GPU, so that it fits on the smallest of the instances."""
    known = [INSTANCES.get(kind, _UNKNOWN) for kind in instance_types]
    cpus = min(one.cpus * 4 // 5 // max(1, one.gpus) for one in known)
    memory = min(one.memory * 3 // 4 // max(1, one.gpus) for one in known)
    return max(1, cpus), max(1, memory)
