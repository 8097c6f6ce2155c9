"""Table of the reference system's chart values: each as our settings, or why it is not taken."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from models.quantities import GIB, quantity
from models.settings.reference_hpa import rates, unread

Given = Mapping[str, Any]
Translate = Callable[[Any], Given]

_PROVISIONER = "karpenter.provisioner"
_TEMPLATE = "karpenter.nodeTemplate"
SCALING = "runtime.scaling"
_API = "runtime.inferenceApi"
_AGENT = "runtime.queueAgent"
_STORED = "runtime.persistence"
_GPU = "nvidia.com/gpu"
_IMAGES = "public.ecr.aws/bingjiao/"  # the reference's own: without Ray, no worker of ours
IMAGE = f"{_API}.image"
SWITCH = f"{SCALING}.enabled"
REPLICAS = "runtime.replicas"
SWITCHED_OFF = f"{SWITCH} is false, so {REPLICAS} stay as they are; remove one of them"
"""Remedy for what says how replicas scale where they do not."""
MOUNTS = (f"{_STORED}.enabled", f"{_STORED}.s3")
"""Values that mean nothing, switched on or off."""
_TRACED = "only API Gateway and its function are traced; remove it"
_MISPLACED = "karpenter.scaling"
"""Place of scaling in a file that the reference's own script once wrote."""
_MOUNTED = "weights are there anyway: of pod.existingClaim, else of modelBucketArn; remove it"
REMEDIES: Given = {
    REPLICAS: f"the queue says how many run; remove it, or set {SWITCH}: false",
    f"{SCALING}.extraHPAConfig": "of a HorizontalPodAutoscaler its behavior is read; remove it",
    _MISPLACED: f"the chart has it in {SCALING}; move it there",
    **dict.fromkeys((f"{_AGENT}.xray", f"{_AGENT}.XRay"), _TRACED),
    IMAGE: "the reference's own image has no Ray; set pod.image, or remove it",
    **dict.fromkeys(MOUNTS, _MOUNTED),
    f"{_TEMPLATE}.osVolume.snapshotID": "images are in that of dataVolume; set it there",
    f"{_API}.resources.requests": "a pod has its share of the node; set limits, or remove it",
}
"""Remedies for values that say something which does not come true here, by their paths or what
these begin with."""


class Unlike(ValueError):
    """A chart value has no meaning here; its text, the reason, does not quote the value."""


def _nodes(key: str) -> Translate:
    return lambda value: {"nodes": {key: value}}


def _scaling(key: str) -> Translate:
    return lambda value: {"scaling": {key: value}}


def _pod(key: str) -> Translate:
    return lambda value: {"pod": {key: value}}


def _capacity(given: Given) -> Given:
    kinds = {"spot": "spot", "onDemand": "on-demand"}
    if set(given) - set(kinds):
        raise Unlike("spot and onDemand are known, and no others")
    # The chart has both kinds by default, so one that is left out is wanted.
    return {"nodes": {"capacity": [kinds[key] for key in kinds if given.get(key, True)]}}


def _limits(given: Given) -> Given:
    if set(given) - {_GPU}:
        raise Unlike(f"only {_GPU} bounds what there is")
    return {"nodes": {"maxGpus": int(given[_GPU])}} if given else {}


def _disruption(given: Given) -> Given:
    names = {"consolidateAfter", "expireAfter"}
    if set(given) - names:
        raise Unlike(f"{' and '.join(sorted(names))} are known, and no others")
    return {"nodes": dict(given)}


def _volume(key: str) -> Translate:
    def volume(given: Given) -> Given:
        if (given.get("type") or "gp3") != "gp3":
            raise Unlike("only gp3 volumes are made")
        sizes = {name: int(given[name]) for name in ("iops", "throughput") if given.get(name)}
        if given.get("size"):
            sizes["size"] = math.ceil(_gib(given["size"]))
        nodes: dict[str, Any] = {key: sizes} if sizes else {}
        if given.get("snapshotID") and key == "dataVolume":
            nodes |= {"imageCache": "ebs-snapshot", "snapshot": given["snapshotID"]}
        return {"nodes": nodes}

    return volume


def _only(allowed: str) -> Translate:
    def only(value: Any) -> Given:
        if value != allowed:
            raise Unlike(f"only {allowed}")
        return {}

    return only


def pod_image(given: str | Given) -> Given:
    """Take ``repository:tag`` in one text, or its two parts by their names."""
    if isinstance(given, Mapping):
        if set(given) - {"repository", "tag"}:
            raise Unlike("repository and tag are known, and no others")
        name, tag = (given.get(part) for part in ("repository", "tag"))
        given = f"{name}:{tag}" if name and tag else name or ""
    return {} if not given or given.startswith(_IMAGES) else {"pod": {"image": given}}


def _environment(given: Any) -> Given:
    named = given if isinstance(given, Mapping) else {var["name"]: var["value"] for var in given}
    return {"pod": {"env": {name: str(value) for name, value in named.items()}}}


def _resources(given: Given) -> Given:
    """Translate limits; of what is only requested a pod has more, its share of the node."""
    limits = given.get("limits") or {}
    pod = {}
    if "cpu" in limits:
        pod["cpu"] = math.ceil(_cores(limits["cpu"]))
    if "memory" in limits:
        pod["memory"] = math.ceil(_gib(limits["memory"]))
    return {"pod": pod, **({"gpus": int(limits[_GPU])} if _GPU in limits else {})}


def _cores(text: Any) -> Decimal:
    """Read cores, such as ``2500m`` or ``2.5``."""
    given = str(text)
    return Decimal(given[:-1]) / 1000 if given.endswith("m") else Decimal(given)


def _gib(text: Any) -> Decimal:
    """Read a size, such as ``6Gi``, ``512Mi`` or ``20G``, as GiB."""
    if not re.fullmatch(r"\d+(\.\d+)?([KMGT]i|[kMGT])", str(text)):
        raise Unlike("must be a size such as 6Gi")
    return quantity(text) / GIB


def _scaled(on: Any) -> Given:
    """Translate the switch of scaling; how many replicas there are without stands elsewhere."""
    if not isinstance(on, bool):
        raise Unlike("must be true or false")
    return {} if on else {"replicas": 1}


def _but(*read: str) -> Callable[[Given], Iterator[str]]:
    return lambda given: (key for key in given if key not in read and given[key] not in _EMPTY)


_EMPTY: tuple[Any, ...] = (None, "", {}, [])
_OF_VOLUME = ("size", "type", "iops", "throughput")
READ_IN_PART: Mapping[str, Callable[[Given], Iterator[str]]] = {
    f"{_TEMPLATE}.osVolume": _but(*_OF_VOLUME),
    f"{_TEMPLATE}.dataVolume": _but(*_OF_VOLUME, "snapshotID"),
    f"{_API}.resources": _but("limits"),
    f"{SCALING}.extraHPAConfig": unread,
}
"""Walks of the keys that nobody reads, of values that are translated in part."""
TRANSLATED: Mapping[str, Translate] = {
    f"{_PROVISIONER}.labels": _nodes("labels"),
    f"{_PROVISIONER}.annotations": _nodes("annotations"),
    f"{_PROVISIONER}.capacityType": _capacity,
    f"{_PROVISIONER}.instanceType": _nodes("instanceTypes"),
    f"{_PROVISIONER}.extraRequirements": _nodes("requirements"),
    f"{_PROVISIONER}.extraTaints": _nodes("taints"),
    f"{_PROVISIONER}.resourceLimits": _limits,
    f"{_PROVISIONER}.consolidation": _nodes("consolidate"),
    f"{_PROVISIONER}.disruption": _disruption,
    f"{_TEMPLATE}.tags": _nodes("tags"),
    f"{_TEMPLATE}.amiFamily": _only("Bottlerocket"),
    f"{_TEMPLATE}.instanceStorePolicy": _only("RAID0"),
    f"{_TEMPLATE}.osVolume": _volume("osVolume"),
    f"{_TEMPLATE}.dataVolume": _volume("dataVolume"),
    f"{_TEMPLATE}.userData": _nodes("userData"),
    "runtime.labels": _pod("labels"),
    "runtime.annotations": _pod("annotations"),
    f"{SCALING}.queueLength": _scaling("queueLength"),
    f"{SCALING}.cooldownPeriod": _scaling("cooldownSeconds"),
    f"{SCALING}.pollingInterval": _scaling("pollingSeconds"),
    f"{SCALING}.minReplicaCount": _scaling("minReplicas"),
    f"{SCALING}.maxReplicaCount": _scaling("maxReplicas"),
    f"{SCALING}.scaleOnInFlight": _scaling("scaleOnInFlight"),
    f"{SCALING}.extraHPAConfig": lambda given: {"scaling": rates(given)},
    SWITCH: _scaled,
    IMAGE: pod_image,
    f"{_API}.modelFilename": lambda value: {"modelFilename": value or None},
    f"{_API}.extraEnv": _environment,
    f"{_API}.imagePullPolicy": _pod("imagePullPolicy"),
    f"{_API}.resources": _resources,
    f"{_AGENT}.dynamicModel": lambda value: {"dynamicModel": value},
    f"{_STORED}.existingClaim": lambda value: {"pod": {"existingClaim": value or None}},
}
INSTEAD: Mapping[str, str] = {
    f"{_API}.commandArguments": "they go into the runtime's options.backend.command",
    f"{_STORED}.existingVolume": "make a claim of it, and name that: pod.existingClaim",
}
MEANS_NOTHING = frozenset(
    {
        "global",
        f"{_TEMPLATE}.iamRole",
        f"{_TEMPLATE}.securityGroupSelector",
        f"{_TEMPLATE}.subnetSelector",
        "runtime.type",
        "runtime.serviceAccountName",
        REPLICAS,
        f"{_API}.modelMountPath",
        _MISPLACED,
        f"{_AGENT}.image",
        f"{_AGENT}.imagePullPolicy",
        f"{_AGENT}.extraEnv",
        f"{_AGENT}.resources",
        f"{_AGENT}.s3Bucket",
        f"{_AGENT}.snsTopicArn",
        f"{_AGENT}.sqsQueueUrl",
        f"{_AGENT}.xray",
        f"{_AGENT}.XRay",
        f"{_STORED}.enabled",
        f"{_STORED}.labels",
        f"{_STORED}.annotations",
        f"{_STORED}.accessModes",
        f"{_STORED}.storageClass",
        f"{_STORED}.size",
        f"{_STORED}.s3",
    }
)
"""Values that are taken and say nothing here, if `REMEDIES` has no more of them."""
KNOWN = sorted({*TRANSLATED, *INSTEAD, *MEANS_NOTHING})
