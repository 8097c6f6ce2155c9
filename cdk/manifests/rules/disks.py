"""Rules on places to write to, and on room: nodes' volumes, pods' volumes, memory."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from cdk.manifests.base import Manifest
from cdk.manifests.nodes import DATA_DEVICE, SYSTEM_DEVICE
from cdk.manifests.rules.rule import Objects, Rule
from models.quantities import GIB, quantity

_LEAST_GIB = {SYSTEM_DEVICE: Decimal(4), DATA_DEVICE: Decimal(20)}
"""Least GiB by device. EC2 makes no volume smaller than its snapshot, and that of Bottlerocket for
NVIDIA has 4 (variants/aws-k8s-*-nvidia, 2024-10); the data volume is published with 20, and even
those were full soon after a start (bottlerocket#4663, 2025-10)."""
_BASE_IOPS = 3_000
_IOPS_A_GIB = 500
_IOPS_A_MIB = 4
"""Ratios of gp3, by EC2's documentation (2026-11): IOPS for each GiB, and for each MiB/s."""
_LEAST_MEMORY = {
    "autoscaler": quantity("512Mi"),
    "ray-head": quantity("2Gi"),
    "valkey": quantity("128Mi"),
}
"""Least memory by container: what KubeRay 1.7 gives the autoscaler itself, and the head of its
smallest RayService. Valkey, empty, needs a dozen MiB, twice while it writes its file anew; the rest
is Ray's state."""
_RAY_MEMORY = quantity("1Gi")
"""Least memory of a container with Ray: Ray 2.60 counts its own processes with 500 MiB at least,
and objects with 75 (ray_constants.py); a replica, an HTTP API or ingest come on top."""
_WRITABLE = ("emptyDir", "persistentVolumeClaim", "ephemeral", "hostPath")
_TEMPORARY = "/tmp"  # noqa: S108 - where pods write
_REWRITES = 2
"""Copies of the append-only file on disk while Valkey rewrites it."""
# Options of Valkey that name a place to write to; log files and sockets count.
_FILES = re.compile(
    r"^--(dir|logfile|pidfile|unixsocket|aclfile|dbfilename|append(dir|file)name|cluster-config-file)$"
)


def _volumes_large_enough(objects: Objects) -> Iterator[str]:
    for name, _, volume in objects.volumes:
        device, size = volume["deviceName"], quantity(volume["ebs"]["volumeSize"]) / GIB
        least = _LEAST_GIB.get(device, Decimal(1))
        if size < least:
            setting = "osVolume" if device == SYSTEM_DEVICE else "dataVolume"
            yield f"{name}: {device} has {size:f} GiB, at least {least} (nodes.{setting}.size)"


def _checkpoints_beside_images(objects: Objects) -> Iterator[str]:
    """Find data volumes too small for images and the checkpoint cache; NVMe disks hold both."""
    caches = [
        quantity(one["spec"]["csi"]["volumeAttributes"].get("cacheEmptyDirSizeLimit", 0)) / GIB
        for one in objects.of("PersistentVolume")
    ]
    wanted = _LEAST_GIB[DATA_DEVICE] + max(caches, default=Decimal(0))
    for name, spec, volume in objects.volumes:
        size = quantity(volume["ebs"]["volumeSize"]) / GIB
        holds_cache = volume["deviceName"] == DATA_DEVICE and "instanceStorePolicy" not in spec
        if holds_cache and _has_replicas(objects, name) and size < wanted:
            yield (
                f"{name}: {size:f} GiB for images, and for storage.checkpointCache beside them:"
                f" at least {wanted:f} (nodes.dataVolume.size)"
            )


def _has_replicas(objects: Objects, node_class: str) -> bool:
    """Tell whether replicas run on such nodes, which is where checkpoints are read."""
    names = [group.pod.get("nodeSelector", {}).values() for group in objects.workers]
    return any(node_class in each for each in names)


def _volume_fast_enough(objects: Objects) -> Iterator[str]:
    for name, _, volume in objects.volumes:
        ebs = volume["ebs"]
        size, iops = quantity(ebs["volumeSize"]) / GIB, ebs.get("iops", _BASE_IOPS)
        where = f"{name}: {volume['deviceName']}"
        if iops > max(_BASE_IOPS, size * _IOPS_A_GIB):
            yield f"{where}: {iops} IOPS need {iops / _IOPS_A_GIB:g} GiB (size)"
        if (throughput := ebs.get("throughput", 0)) * _IOPS_A_MIB > iops:
            yield f"{where}: {throughput} MiB/s need {throughput * _IOPS_A_MIB} IOPS (iops)"


def _memory_to_start(objects: Objects) -> Iterator[str]:
    for where, container in objects.containers:
        name = container["name"]
        least = _LEAST_MEMORY.get(name, _RAY_MEMORY if name.startswith("ray-") else Decimal(0))
        given = container.get("resources", {}).get("limits", {}).get("memory")
        if given is not None and quantity(given) < least:
            yield f"{where}: {name} has {given}; with less than {least / 2**20:f}Mi it is killed"


def _mounts_have_volumes(objects: Objects) -> Iterator[str]:
    """Find mounts without a volume: Kubernetes refuses the pod, and KubeRay tells nobody."""
    for where, pod in objects.pods:
        there = {volume["name"] for volume in pod["spec"].get("volumes", ())}
        for container in pod["spec"]["containers"]:
            for mount in container.get("volumeMounts", ()):
                if mount["name"] not in there:
                    yield f"{where}: {container['name']} mounts {mount['name']}, which there is not"


def _read_only_roots(objects: Objects) -> Iterator[str]:
    for where, pod in objects.pods:
        for container in pod["spec"]["containers"]:
            if not container.get("securityContext", {}).get("readOnlyRootFilesystem"):
                continue
            places = _writable(pod, container)
            for path in _written(container):
                if not any(PurePosixPath(path).is_relative_to(place) for place in places):
                    yield f"{where}: {container['name']} writes to {path} on its read-only root"


def _writable(pod: Manifest, container: Manifest) -> list[str]:
    """Return the places at which a container has volumes that take writes."""
    volumes = {one["name"]: one for one in pod["spec"].get("volumes", ())}
    return [
        mount["mountPath"]
        for mount in container.get("volumeMounts", ())
        if not mount.get("readOnly") and _takes_writes(volumes.get(mount["name"], {}))
    ]


def _takes_writes(volume: Mapping[str, Any]) -> bool:
    return any(kind in volume and not volume[kind].get("readOnly") for kind in _WRITABLE)


def _written(container: Manifest) -> Iterator[str]:
    """List where a container writes: Valkey as its arguments say, Ray and Python to /tmp."""
    if container["name"] != "valkey":
        yield _TEMPORARY
        return
    args = _arguments(container)
    folder = PurePosixPath(args.get("dir", "/data"))  # in which the image starts it
    yield str(folder)
    yield from (str(folder / path) for name, path in args.items() if name != "dir")


def _arguments(container: Manifest) -> dict[str, str]:
    """Return the paths in Valkey's arguments by option; of an option said twice the last counts."""
    args = container.get("args", [])
    named = ((_FILES.match(name), value) for name, value in pairwise(args))
    return {found[1]: value for found, value in named if found and value}


def _state_fits_volume(objects: Objects) -> Iterator[str]:
    """Find volumes too small for Valkey's state: Kubernetes evicts the pod that fills one."""
    for where, pod in objects.pods:
        volumes = pod["spec"].get("volumes", ())
        limits = [one["emptyDir"].get("sizeLimit") for one in volumes if "emptyDir" in one]
        for container in pod["spec"]["containers"]:
            memory = container.get("resources", {}).get("limits", {}).get("memory", 0)
            for limit in filter(None, limits):
                if container["name"] == "valkey" and quantity(limit) < _REWRITES * quantity(memory):
                    yield f"{where}: {limit} for the state of {memory}, which is written twice"


RULES = (
    Rule("volumes-large-enough", _volumes_large_enough),
    Rule("checkpoints-beside-images", _checkpoints_beside_images),
    Rule("volume-fast-enough", _volume_fast_enough),
    Rule("memory-to-start", _memory_to_start),
    Rule("mounts-have-volumes", _mounts_have_volumes),
    Rule("read-only-roots", _read_only_roots),
    Rule("state-fits-volume", _state_fits_volume),
)
