"""EC2 instance types that a runtime may run on, with their sizes as AWS lists them (2026-11)."""

import re
from collections.abc import Iterable, Mapping

from models.capacity import Instance

INSTANCES: Mapping[str, Instance] = {
    "g2.8xlarge": Instance(32, 60, gpus=4, nvme=True),
    "g3.8xlarge": Instance(32, 244, gpus=2),
    "g3.16xlarge": Instance(64, 488, gpus=4),
    "g4dn.xlarge": Instance(4, 16, gpus=1, nvme=True),
    "g4dn.2xlarge": Instance(8, 32, gpus=1, nvme=True),
    "g4dn.4xlarge": Instance(16, 64, gpus=1, nvme=True),
    "g4dn.12xlarge": Instance(48, 192, gpus=4, nvme=True),
    "g4dn.metal": Instance(96, 384, gpus=8, nvme=True),
    "g5.xlarge": Instance(4, 16, gpus=1, nvme=True),
    "g5.2xlarge": Instance(8, 32, gpus=1, nvme=True),
    "g5.4xlarge": Instance(16, 64, gpus=1, nvme=True),
    "g5.8xlarge": Instance(32, 128, gpus=1, nvme=True),
    "g5.12xlarge": Instance(48, 192, gpus=4, nvme=True),
    "g5.24xlarge": Instance(96, 384, gpus=4, nvme=True),
    "g5.48xlarge": Instance(192, 768, gpus=8, nvme=True),
    "g5g.16xlarge": Instance(64, 128, gpus=2),
    "g5g.metal": Instance(64, 128, gpus=2),
    "g6.xlarge": Instance(4, 16, gpus=1, nvme=True),
    "g6.2xlarge": Instance(8, 32, gpus=1, nvme=True),
    "g6.4xlarge": Instance(16, 64, gpus=1, nvme=True),
    "g6.8xlarge": Instance(32, 128, gpus=1, nvme=True),
    "g6.12xlarge": Instance(48, 192, gpus=4, nvme=True),
    "g6.24xlarge": Instance(96, 384, gpus=4, nvme=True),
    "g6.48xlarge": Instance(192, 768, gpus=8, nvme=True),
    "g6e.xlarge": Instance(4, 32, gpus=1, nvme=True),
    "g6e.2xlarge": Instance(8, 64, gpus=1, nvme=True),
    "g6e.4xlarge": Instance(16, 128, gpus=1, nvme=True),
    "g6e.12xlarge": Instance(48, 384, gpus=4, nvme=True),
    "g6e.24xlarge": Instance(96, 768, gpus=4, nvme=True),
    "g6e.48xlarge": Instance(192, 1536, gpus=8, nvme=True),
    "g7e.12xlarge": Instance(48, 512, gpus=2, nvme=True),
    "g7e.24xlarge": Instance(96, 1024, gpus=4, nvme=True),
    "g7e.48xlarge": Instance(192, 2048, gpus=8, nvme=True),
    "p2.8xlarge": Instance(32, 488, gpus=8),
    "p2.16xlarge": Instance(64, 732, gpus=16),
    "p3.8xlarge": Instance(32, 244, gpus=4),
    "p3.16xlarge": Instance(64, 488, gpus=8),
    "p3dn.24xlarge": Instance(96, 768, gpus=8, nvme=True),
    "p4d.24xlarge": Instance(96, 1152, gpus=8, nvme=True),
    "p4de.24xlarge": Instance(96, 1152, gpus=8, nvme=True),
    "p5.48xlarge": Instance(192, 2048, gpus=8, nvme=True),
    "p5e.48xlarge": Instance(192, 2048, gpus=8, nvme=True),
    "p5en.48xlarge": Instance(192, 2048, gpus=8, nvme=True),
    "p6-b200.48xlarge": Instance(192, 2048, gpus=8, nvme=True),
    "p6-b300.48xlarge": Instance(192, 4096, gpus=8, nvme=True),
    "c4.8xlarge": Instance(36, 60),
    "c7i.2xlarge": Instance(8, 16),
    "c7i.4xlarge": Instance(16, 32),
    "d2.8xlarge": Instance(36, 244),
    "m5.large": Instance(2, 8),
    "m7g.large": Instance(2, 8),
    "m7g.xlarge": Instance(4, 16),
    "m7g.2xlarge": Instance(8, 32),
    "m7i.large": Instance(2, 8),
    "m7i.xlarge": Instance(4, 16),
    "m7i.2xlarge": Instance(8, 32),
    "m7i.4xlarge": Instance(16, 64),
}
"""Common types; those with several GPUs of NVIDIA that Karpenter 1.14 lists; and those with more
cores than their names say."""
UNKNOWN = Instance(8, 32, gpus=1)
"""Size that an unlisted type is taken for in sharing it out: small, so that the pod fits."""
_CORES_OF_XLARGE = 4


def at_most(instance_type: str) -> Instance:
    """Return a type as listed, else the largest that it may be.

    A limit that is too high costs nothing, as worker groups have bounds of their own; in one that
    is too low no node starts.
    """
    return INSTANCES.get(instance_type) or Instance(
        _cores(instance_type), 0, gpus=max(one.gpus for one in INSTANCES.values()), listed=False
    )


def _cores(instance_type: str) -> int:
    """Read cores from the size in a name, ``8xlarge`` or ``metal-48xl``; else the most listed."""
    if size := re.search(r"(\d*)xl", instance_type):
        return _CORES_OF_XLARGE * int(size[1] or 1)
    return max(one.cpus for one in INSTANCES.values())


def share(instance_types: Iterable[str]) -> tuple[int, int]:
    """Return cores and GiB for a pod with one GPU that fits on the smallest of the instances."""
    known = [INSTANCES.get(kind, UNKNOWN) for kind in instance_types]
    cpus = min(one.cpus * 4 // 5 // max(1, one.gpus) for one in known)
    memory = min(int(one.memory) * 3 // 4 // max(1, one.gpus) for one in known)
    return max(1, cpus), max(1, memory)
