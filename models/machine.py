"""Facts of the machine at hand that a configuration asks for; without Ray or CUDA."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_NVIDIA = Path("/proc/driver/nvidia/gpus")
# Ray gives each node a resource with its address, and one with its accelerator's model.
_OF_EACH_NODE = ("node:", "accelerator_type:")
_OTHERS = (Path("/dev/kfd"), Path("/dev/dxg"), Path("/dev/accel"), Path("/dev/nvidia0"))
"""Devices of other makers, or of drivers that do not list GPUs under `_NVIDIA`."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Machine on which everything runs."""

    gpus: int | None = None
    """Number of GPUs; None if it cannot be determined."""
    cores: int | None = None
    """Number of cores, or of those that a Ray was given; None if nothing is bounded by them."""
    resources: frozenset[str] | None = None
    """Names of Ray's own resources besides each node's; None if they are not known."""

    @classmethod
    def this(cls) -> "Machine":
        """Look at the machine that this process runs on, whose Ray is one that `up` starts."""
        return cls(gpus=gpus_here(), cores=os.cpu_count(), resources=frozenset())

    @classmethod
    def of_ray(cls, resources: Mapping[str, float]) -> "Machine":
        """Describe a Ray's only node by its resources: what it was given, whatever is there."""
        gpus, cores = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
        return cls(gpus=gpus, cores=cores, resources=frozenset(resources))

    def lacks_resource(self, name: str) -> bool:
        """Tell whether no Ray here has a resource of this name; a node's own are not looked for."""
        known = self.resources
        return known is not None and name not in known and not name.startswith(_OF_EACH_NODE)


def gpus_here(environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> int | None:
    """Count the GPUs that a process may use; None where only a vendor's library could.

    ``root``: the folder that the system's files are in.
    """
    listed = _under(root, _NVIDIA)
    if not listed.is_dir():
        return None if any(_under(root, device).exists() for device in _OTHERS) else 0
    count = sum(1 for _ in listed.iterdir())
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return count
    named = [name for name in visible.split(",") if name.strip()]
    # CUDA reads the list up to its first invalid entry: a -1 in front hides every GPU.
    return 0 if named[:1] == ["-1"] else min(count, len(named))


def _under(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")
