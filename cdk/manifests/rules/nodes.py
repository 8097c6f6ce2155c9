"""That each worker group has nodes: the right pool, its taints, its limits, its sizes."""

import math
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal

from cdk.manifests.base import Manifest
from cdk.manifests.instances import INSTANCES, Instance, at_most
from cdk.manifests.nodes import CAPACITY, GPU, POOL
from cdk.manifests.pods import KEPT
from cdk.manifests.rules.rule import Group, Objects, Rule, quantity

_GIB = 2**30
_INSTANCE_TYPE = "node.kubernetes.io/instance-type"
_INSTANCE = "karpenter.k8s.aws/instance-"
_GIB_A_CORE = {"c": 2, "m": 4}
"""EC2's general instances, by their category."""
_REASONS = ("Empty", "Drifted", "Underutilized")


def _pools(objects: Objects) -> Iterator[tuple[Group, Manifest]]:
    """Worker groups that ask for a pool which there is, with that pool's spec."""
    pools = objects.named("NodePool")
    for group in objects.workers:
        name = group.pod.get("nodeSelector", {}).get(POOL)
        if name in pools:
            yield group, pools[name]["spec"]


def _pool_there(objects: Objects) -> Iterator[str]:
    pools = objects.named("NodePool")
    for group in objects.workers:
        name = group.pod.get("nodeSelector", {}).get(POOL)
        if name is None and group.asked(GPU):
            yield f"{group.name}: its pods ask for GPUs and for no pool"
        if name is not None and name not in pools:
            yield f"{group.name}: there is no NodePool {name!r}"


def _class_there(objects: Objects) -> Iterator[str]:
    classes = objects.named("EC2NodeClass")
    for name, pool in objects.named("NodePool").items():
        wanted = pool["spec"]["template"]["spec"]["nodeClassRef"]["name"]
        if wanted not in classes:
            yield f"{name}: there is no EC2NodeClass {wanted!r}"


def _selected(objects: Objects) -> Iterator[str]:
    for group, pool in _pools(objects):
        for key, value in group.pod["nodeSelector"].items():
            if key != POOL and value not in _values(pool, key):
                yield f"{group.name}: no node of its pool has {key}={value}"


def _tolerated(objects: Objects) -> Iterator[str]:
    for group, pool in _pools(objects):
        tolerations = group.pod.get("tolerations", [])
        for taint in pool["template"]["spec"].get("taints", []):
            if not any(_matches(one, taint) for one in tolerations):
                yield f"{group.name}: does not tolerate {taint['key']} of its pool's nodes"


def _kept_apart(objects: Objects) -> Iterator[str]:
    """Else a pod without a GPU keeps one's node."""
    for name, pool in objects.named("NodePool").items():
        spec = pool["spec"]
        if GPU in spec.get("limits", {}) and not spec["template"]["spec"].get("taints"):
            yield f"{name}: GPU nodes without a taint take any pod"


def _limited(objects: Objects) -> Iterator[str]:
    """What Ray may ask for and Karpenter would refuse stays pending, and the next try as well."""
    most: defaultdict[str, Decimal] = defaultdict(Decimal)
    for group, _ in _pools(objects):
        name = group.pod["nodeSelector"][POOL]
        most[name] += group.asked(GPU) * group.spec["maxReplicas"]
    for name, pool in objects.named("NodePool").items():
        limits = pool["spec"].get("limits", {})
        if not limits:
            yield f"{name}: no limits, so nothing bounds the bill"
        if GPU in limits and most[name] > quantity(limits[GPU]):
            yield f"{name}: its groups may ask for {most[name]} GPUs of {limits[GPU]}"


def _whole_nodes(objects: Objects) -> Iterator[str]:
    """Karpenter starts no node that alone goes beyond a limit, even for a pod that would not."""
    groups: defaultdict[str, list[Group]] = defaultdict(list)
    for group, _ in _pools(objects):
        groups[group.pod["nodeSelector"][POOL]].append(group)
    for name, members in groups.items():
        pool = objects.named("NodePool")[name]["spec"]
        for what, limit in pool.get("limits", {}).items():
            for kind in _values(pool, _INSTANCE_TYPE):
                if fault := _too_few(what, quantity(limit), at_most(kind), members):
                    yield f"{name}: {what} {limit} on {kind}: {fault}"


def _too_few(what: str, limit: Decimal, one: Instance, groups: list[Group]) -> str | None:
    """Tell what never starts where all nodes are of one type; None: all may."""
    each = one.gpus if what == GPU else one.cpus
    nodes = [math.ceil(g.spec["maxReplicas"] / _held(one, g)) for g in groups if _holds(one, g)]
    if nodes and each > limit:
        return f"no node ever starts, for one has {each}"
    if sum(nodes) * each > limit:
        return (
            f"{' and '.join(map(str, nodes))} nodes may be asked for, of {each} each:"
            " where the first are full, the last kind of capacity never comes"
        )
    return None


def _drift(objects: Objects) -> Iterator[str]:
    """A node that drifted is drained with its tasks, one that is empty goes by another reason."""
    for group, pool in _pools(objects):
        annotations = group.spec["template"]["metadata"].get("annotations", {})
        name = f"{group.name}: {group.pod['nodeSelector'][POOL]}"
        if KEPT.items() <= annotations.items():
            continue
        if "Drifted" not in _never(pool):
            yield f"{name}: a change of its nodes takes those that work (budgets: Drifted)"
        if "Empty" in _never(pool):
            yield f"{name}: no node goes, not even an empty one (budgets: Empty)"


def _never(pool: Manifest) -> set[str]:
    """Reasons for which a pool's nodes are never disrupted."""
    budgets = pool.get("disruption", {}).get("budgets", [])
    none = [one for one in budgets if one["nodes"] in {"0", "0%"} and "schedule" not in one]
    return {reason for one in none for reason in one.get("reasons", _REASONS)}


def _fits(objects: Objects) -> Iterator[str]:
    for group, pool in _pools(objects):
        known = _known(_values(pool, _INSTANCE_TYPE))
        if known and not any(_holds(instance, group) for instance in known.values()):
            yield (
                f"{group.name}: a pod of {group.asked('cpu')} cores,"
                f" {group.asked('memory') / _GIB:.0f} GiB and {group.asked(GPU)} GPUs fits on none"
                f" of {', '.join(known)} (pod.cpu, pod.memory, nodes.instanceTypes)"
            )


def _head_fits(objects: Objects) -> Iterator[str]:
    """The head of an upgrade, or the one after a system node's end, finds no other place."""
    yield from _too_large(objects, [objects.head], "rayCluster.headCpu, rayCluster.headMemory")


def _ingest_fits(objects: Objects) -> Iterator[str]:
    ingest = [one for one in objects.workers if POOL not in one.pod.get("nodeSelector", {})]
    yield from _too_large(objects, ingest, "rayCluster.ingestCpu, rayCluster.ingestMemory")
    clusters = 1 if objects.service["spec"]["upgradeStrategy"]["type"] == "None" else 2
    wanted = _cores(objects, objects.head)
    wanted += sum(_cores(objects, one) * one.spec["minReplicas"] for one in ingest)
    for name, pool in _of_no_runtime(objects):
        limit = pool.get("limits", {}).get("cpu")
        if limit is not None and clusters * wanted > quantity(limit):
            yield (
                f"{name}: heads and ingest of {clusters} Ray clusters want"
                f" {clusters * wanted:.1f} cores of {limit} (rayCluster.ingestWorkers, ingestCpu,"
                " headCpu, or upgrade: None)"
            )


def _too_large(objects: Objects, groups: list[Group], settings: str) -> Iterator[str]:
    for name, pool in _of_no_runtime(objects):
        cores = max(map(int, _values(pool, f"{_INSTANCE}cpu")), default=0)
        gib = max((_GIB_A_CORE[one] for one in _values(pool, f"{_INSTANCE}category")), default=0)
        node = Instance(cores, cores * gib)
        for group in groups:
            if cores and not node.pods(*_size(objects, group), 0):
                yield (
                    f"{group.name}: its pod fits on no node of {name},"
                    f" the largest of {node.cpus} cores and {node.memory} GiB ({settings})"
                )


def _size(objects: Objects, group: Group) -> tuple[float, float]:
    """Cores and GiB of a pod; the autoscaler beside the head included."""
    more = objects.cluster.get("autoscalerOptions", {}).get("resources", {}).get("requests", {})
    beside = more if group is objects.head else {}
    cpus = group.asked("cpu") + quantity(beside.get("cpu", 0))
    return float(cpus), float((group.asked("memory") + quantity(beside.get("memory", 0))) / _GIB)


def _cores(objects: Objects, group: Group) -> float:
    """Cores of the node that a pod takes at least: for its memory, too."""
    cpus, gib = _size(objects, group)
    return max(cpus, gib / max(_GIB_A_CORE.values()))


def _of_no_runtime(objects: Objects) -> list[tuple[str, Manifest]]:
    """Pools without a taint, on whose nodes any pod may be."""
    pools = objects.named("NodePool").items()
    specs = [(name, pool["spec"]) for name, pool in pools]
    return [one for one in specs if not one[1]["template"]["spec"].get("taints")]


def _agree(objects: Objects) -> Iterator[str]:
    """Requirements of one key are intersected; where nothing is left, no node ever starts."""
    for name, pool in objects.named("NodePool").items():
        spec = pool["spec"]
        for key in dict.fromkeys(one["key"] for one in spec["template"]["spec"]["requirements"]):
            if _said(spec, key) and not _values(spec, key):
                yield f"{name}: no node has {key} as its requirements say (nodes.requirements)"


def _startable(objects: Objects) -> Iterator[str]:
    for group, _ in _pools(objects):
        if group.spec["maxReplicas"] < 1:
            yield f"{group.name}: maxGpus is less than the GPUs of one replica"


def _cached_once(objects: Objects) -> Iterator[str]:
    for name, found in objects.named("EC2NodeClass").items():
        volumes = found["spec"].get("blockDeviceMappings", [])
        if "instanceStorePolicy" in found["spec"] and any(
            "snapshotID" in v["ebs"] for v in volumes
        ):
            yield f"{name}: RAID0 would hide the images of the snapshot"


def _volumes(objects: Objects) -> Iterator[str]:
    for name, found in objects.named("EC2NodeClass").items():
        devices = [one["deviceName"] for one in found["spec"].get("blockDeviceMappings", [])]
        if devices != ["/dev/xvda", "/dev/xvdb"]:
            yield f"{name}: without /dev/xvda and /dev/xvdb its images get 20 GiB, unencrypted"


def _encrypted(objects: Objects) -> Iterator[str]:
    """Karpenter may use one key; a volume with another ends its instance at the launch."""
    keys = set()
    for name, found in objects.named("EC2NodeClass").items():
        for volume in found["spec"].get("blockDeviceMappings", []):
            keys.add(volume["ebs"].get("kmsKeyID"))
            if volume["ebs"].get("encrypted") is not True:
                yield f"{name}: {volume['deviceName']} is not encrypted"
    if len(keys) > 1:
        yield f"volumes have {len(keys)} keys, and Karpenter may use that of cluster.volumeKeyArn"


def _disks(objects: Objects) -> Iterator[str]:
    for name, pool in objects.named("NodePool").items():
        found = objects.named("EC2NodeClass").get(name)
        if found is None or "instanceStorePolicy" not in found["spec"]:
            continue
        for kind, one in _known(_values(pool["spec"], _INSTANCE_TYPE)).items():
            if not one.nvme:
                yield f"{name}: {kind} has no NVMe disk for its images (nodes.imageCache: none)"


def _user_data(objects: Objects) -> Iterator[str]:
    for name, found in objects.named("EC2NodeClass").items():
        try:
            tomllib.loads(found["spec"].get("userData", ""))
        except tomllib.TOMLDecodeError as exc:
            yield f"{name}: {exc} (nodes.userData, behind our own)"


def _pinned(objects: Objects) -> Iterator[str]:
    for name, found in objects.named("EC2NodeClass").items():
        for term in found["spec"]["amiSelectorTerms"]:
            if term.get("alias", "").endswith("@latest"):
                yield f"{name}: with @latest each release replaces all nodes"


def _metadata(objects: Objects) -> Iterator[str]:
    for name, found in objects.named("EC2NodeClass").items():
        options = found["spec"].get("metadataOptions", {})
        if options.get("httpTokens") != "required" or options.get("httpPutResponseHopLimit") != 1:
            yield f"{name}: a pod could take the node's credentials (IMDSv2, one hop)"


def _spot_first(objects: Objects) -> Iterator[str]:
    by_pool: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for group, _ in _pools(objects):
        selector = group.pod["nodeSelector"]
        by_pool[selector[POOL]][selector.get(CAPACITY, "")] = group.spec.get("priority", 0)
    for name, priority in by_pool.items():
        if priority.get("spot", 1) <= priority.get("on-demand", 0):
            yield f"{name}: on demand would be taken before Spot"


def _values(pool: Manifest, key: str) -> list[str]:
    """Return what nodes of a pool may have under a label: Karpenter intersects requirements."""
    wanted = [one for one in pool["template"]["spec"]["requirements"] if one["key"] == key]
    labels = pool["template"].get("metadata", {}).get("labels", {})
    if key in labels:
        wanted.append({"key": key, "operator": "In", "values": [labels[key]]})
    return [each for each in _said(pool, key) if all(_admits(one, each) for one in wanted)]


def _said(pool: Manifest, key: str) -> list[str]:
    """Every value that a label or one of the requirements names for a key."""
    labels = pool["template"].get("metadata", {}).get("labels", {})
    found = [labels[key]] if key in labels else []
    for one in pool["template"]["spec"]["requirements"]:
        if one["key"] == key and one["operator"] == "In":
            found += one["values"]
    return list(dict.fromkeys(found))


def _admits(requirement: Manifest, value: str) -> bool:
    values = requirement.get("values", [])
    match requirement["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Gt":
            return value.isdecimal() and int(value) > int(values[0])
        case "Lt":
            return value.isdecimal() and int(value) < int(values[0])
    return bool(requirement["operator"] == "Exists")


def _matches(toleration: Manifest, taint: Manifest) -> bool:
    same_value = toleration.get("operator") == "Exists" or toleration.get("value") == taint.get(
        "value"
    )
    return (
        toleration.get("key") == taint["key"]
        and toleration.get("effect", taint["effect"]) == taint["effect"]
        and same_value
    )


def _known(kinds: Iterable[str]) -> dict[str, Instance]:
    return {kind: INSTANCES[kind] for kind in kinds if kind in INSTANCES}


def _holds(instance: Instance, group: Group) -> bool:
    return _held(instance, group) > 0


def _held(instance: Instance, group: Group) -> int:
    """Return how many pods of a group fit."""
    cpus, gib = float(group.asked("cpu")), float(group.asked("memory") / _GIB)
    return instance.pods(cpus, gib, int(group.asked(GPU)))


RULES = (
    Rule("pool-exists", _pool_there),
    Rule("node-class-exists", _class_there),
    Rule("pool-has-what-is-selected", _selected),
    Rule("taints-tolerated", _tolerated),
    Rule("gpu-nodes-tainted", _kept_apart),
    Rule("groups-within-limits", _limited),
    Rule("limits-in-whole-nodes", _whole_nodes),
    Rule("drift-waits", _drift),
    Rule("pod-fits-instance", _fits),
    Rule("head-fits", _head_fits),
    Rule("ingest-fits", _ingest_fits),
    Rule("requirements-agree", _agree),
    Rule("group-can-start", _startable),
    Rule("images-cached-in-one-way", _cached_once),
    Rule("volumes-said", _volumes),
    Rule("volumes-encrypted-alike", _encrypted),
    Rule("nvme-for-images", _disks),
    Rule("user-data-is-toml", _user_data),
    Rule("system-pinned", _pinned),
    Rule("metadata-guarded", _metadata),
    Rule("spot-first", _spot_first),
)
