"""NodePools and EC2NodeClasses: which nodes a runtime may have, how many, and for how long.

For Karpenter 1.14 and Bottlerocket, of which Karpenter picks the NVIDIA variant for a GPU's
instances by itself.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cdk.manifests.base import Manifest, cluster_metadata
from cdk.manifests.instances import at_most, share
from models.capacity import CPU_NODES, gpus_of_pod, pods_at_most, pods_for
from models.names import kube
from models.names.images import architecture
from models.names.tags import PROJECT
from models.settings import Runtime, Settings
from models.settings.nodes import Nodes, Taint, Volume

GPU = "nvidia.com/gpu"
RUNTIME = "runtime"
"""Key of the label and of the taint on nodes that belong to one runtime."""
POOL = "karpenter.sh/nodepool"
CAPACITY = "karpenter.sh/capacity-type"
DISCOVERY = "karpenter.sh/discovery"
"""Tag of subnets in which Karpenter may start nodes, by Karpenter's own convention."""
SYSTEM_DEVICE, DATA_DEVICE = "/dev/xvda", "/dev/xvdb"
"""Bottlerocket's two volumes: the system, and images with all that pods write."""
_CPU_LIMIT = 32
"""Cores of all nodes without a GPU; a second Ray cluster's head and ingest take a handful."""
_CPU_VOLUME = Volume(size=50)
_UNUSED_VOLUME = Volume(size=20)  # Bottlerocket's own default; with SOCI all data is on NVMe
METADATA: Mapping[str, Any] = {
    "httpEndpoint": "enabled",
    "httpProtocolIPv6": "disabled",
    "httpPutResponseHopLimit": 1,
    "httpTokens": "required",
}
"""Access to the node's metadata: a pod is a hop further than its node, so none gets credentials."""
BUDGETS: Sequence[Mapping[str, Any]] = (
    {"nodes": "100%", "reasons": ["Empty"]},
    {"nodes": "1", "reasons": ["Underutilized"]},
    # A changed node class or pool would drain nodes with tasks on them: they go when empty.
    {"nodes": "0", "reasons": ["Drifted"]},
)
"""Nodes of a pool that Karpenter may take at once, by its reason."""
# Ten downloads of an image at once, and chunks of 16 MB: what AWS recommends for ECR.
SOCI = """\
[settings.container-runtime]
snapshotter = "soci"

[settings.container-runtime-plugins.soci-snapshotter]
pull-mode = "parallel-pull-unpack"

[settings.container-runtime-plugins.soci-snapshotter.parallel-pull-unpack]
max-concurrent-downloads-per-image = 10
concurrent-download-chunk-size = "16mb"
max-concurrent-unpacks-per-image = 10
discard-unpacked-layers = true
"""


def node_objects(settings: Settings, *, instance_profile: str) -> list[Manifest]:
    """Build node classes and pools: a pair for each runtime, and one without a GPU."""
    classes = [
        node_class(settings, runtime, instance_profile=instance_profile)
        for runtime in settings.models_runtime
    ]
    pools = [node_pool(settings, runtime) for runtime in settings.models_runtime]
    return [
        *classes,
        cpu_node_class(settings, instance_profile=instance_profile),
        *pools,
        cpu_node_pool(settings),
    ]


def size_of_pod(runtime: Runtime) -> tuple[int, int]:
    """Return a pod's cores and GiB: as set, else its GPUs' share of the smallest node."""
    gpus = max(1, gpus_of_pod(runtime))
    cpus, memory = share(runtime.nodes.instance_types)
    return runtime.pod.cpu or gpus * cpus, runtime.pod.memory or gpus * memory


def taints(runtime: Runtime) -> list[Manifest]:
    """Return the taints that keep every other pod off the runtime's nodes."""
    gpu = [Taint(key=GPU)] if runtime.gpus else []
    own = Taint(key=RUNTIME, value=kube.label(runtime.name))
    return [taint.model_dump(exclude_none=True) for taint in (*gpu, own, *runtime.nodes.taints)]


def node_pool(settings: Settings, runtime: Runtime) -> Manifest:
    """Build a runtime's pool; of Spot and on-demand Karpenter takes the cheaper, which is Spot."""
    nodes = runtime.nodes
    name = kube.pool(settings.names, runtime.name)
    spec = {
        "nodeClassRef": _node_class_ref(name),
        "requirements": _requirements(nodes),
        "taints": taints(runtime),
        "expireAfter": nodes.expire_after,
    }
    node_metadata = {"labels": {**nodes.labels, RUNTIME: kube.label(runtime.name)}}
    if nodes.annotations:
        node_metadata["annotations"] = dict(nodes.annotations)
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": cluster_metadata(settings, name),
        "spec": {
            "template": {"metadata": node_metadata, "spec": spec},
            "limits": _limits(settings, runtime),
            "disruption": _disruption(nodes),
        },
    }


def node_class(settings: Settings, runtime: Runtime, *, instance_profile: str) -> Manifest:
    nodes = runtime.nodes
    key = settings.cluster.volume_key_arn
    spec: Manifest = {"blockDeviceMappings": list(_volumes(nodes, key))}
    soci = nodes.image_cache == "soci"
    if user_data := [text for text in (SOCI if soci else "", nodes.user_data) if text]:
        spec["userData"] = "\n".join(user_data)
    if soci:
        # Images, logs and what pods write go to the NVMe disks, which hide a snapshot's images.
        spec["instanceStorePolicy"] = "RAID0"
    tags = {**_tags(settings), RUNTIME: runtime.name, **nodes.tags}
    return _node_class(
        settings, kube.pool(settings.names, runtime.name), instance_profile, spec | {"tags": tags}
    )


def cpu_node_pool(settings: Settings) -> Manifest:
    """Build the pool for what the system nodes have no room for, such as an upgrade's second head.

    Its nodes are on demand and go when empty, since what they run must not be interrupted.
    """
    spec = {
        "nodeClassRef": _node_class_ref(kube.cpu_pool(settings.names)),
        "requirements": [
            _require(CAPACITY, "on-demand"),
            _require("kubernetes.io/arch", architecture(settings.cluster_components.instance_type)),
            _require("karpenter.k8s.aws/instance-category", "c", "m"),
            _require("karpenter.k8s.aws/instance-cpu", *map(str, CPU_NODES)),
            {"key": "karpenter.k8s.aws/instance-generation", "operator": "Gt", "values": ["5"]},
        ],
        "expireAfter": "Never",  # the head would go with its node
    }
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": cluster_metadata(settings, kube.cpu_pool(settings.names)),
        "spec": {
            "template": {"spec": spec},
            "limits": {"cpu": str(_CPU_LIMIT)},
            "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "300s"},
        },
    }


def cpu_node_class(settings: Settings, *, instance_profile: str) -> Manifest:
    key = settings.cluster.volume_key_arn
    spec = {
        "blockDeviceMappings": [
            _volume(SYSTEM_DEVICE, Volume(size=10), key),
            _volume(DATA_DEVICE, _CPU_VOLUME, key),
        ],
        "tags": _tags(settings),
    }
    return _node_class(settings, kube.cpu_pool(settings.names), instance_profile, spec)


def _tags(settings: Settings) -> dict[str, str]:
    """Return the nodes' tags, for the bill, too: Karpenter's nodes do not inherit the stack's."""
    return {PROJECT: settings.stack_name, "stack": settings.stack_name}


def _node_class(settings: Settings, name: str, instance_profile: str, more: Manifest) -> Manifest:
    cluster = settings.stack_name
    subnets: list[Manifest] = [{"id": each} for each in settings.vpc.private_subnets]
    return {
        "apiVersion": "karpenter.k8s.aws/v1",
        "kind": "EC2NodeClass",
        "metadata": cluster_metadata(settings, name),
        "spec": {
            # Pinned: by `@latest` Karpenter would replace all nodes at each release.
            "amiSelectorTerms": [{"alias": f"bottlerocket@{settings.cluster.bottlerocket}"}],
            "instanceProfile": instance_profile,
            "subnetSelectorTerms": subnets or [{"tags": {DISCOVERY: cluster}}],
            # EKS itself tags the cluster's security group so.
            "securityGroupSelectorTerms": [{"tags": {"aws:eks:cluster-name": cluster}}],
            "metadataOptions": dict(METADATA),
            **more,
        },
    }


def _requirements(nodes: Nodes) -> list[Manifest]:
    architectures = sorted({architecture(kind) for kind in nodes.instance_types})
    own = (
        # The operator again: a default one was left out, and Karpenter has none.
        one.model_dump(mode="json", exclude_defaults=True) | {"operator": one.operator}
        for one in nodes.requirements
    )
    return [
        _require("node.kubernetes.io/instance-type", *nodes.instance_types),
        _require(CAPACITY, *nodes.capacity),
        _require("kubernetes.io/arch", *architectures),
        *own,
    ]


def _require(key: str, *values: str) -> Manifest:
    return {"key": key, "operator": "In", "values": list(values)}


def _node_class_ref(name: str) -> Manifest:
    return {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": name}


def _limits(settings: Settings, runtime: Runtime) -> Manifest:
    """Bound the bill, in whole nodes of the type that needs the highest limit.

    Karpenter starts no node that alone would go beyond a limit: in a limit that is no multiple of a
    node's GPUs, the last one never comes. There is room for all pods of each kind of capacity, and
    for the first replicas of the cluster that takes over in an upgrade.
    """
    upgrades = settings.ray_cluster.upgrade == "NewCluster"
    upgrade = pods_for(runtime, runtime.first_replicas) if upgrades else 0
    kinds = [pods_at_most(runtime)] * len(runtime.nodes.capacity)
    most = max(
        sum(_limit_for(runtime, kind, pods) for pods in (*kinds, upgrade))
        for kind in runtime.nodes.instance_types
    )
    return {GPU if runtime.gpus else "cpu": str(most)}


def _limit_for(runtime: Runtime, instance_type: str, pods: int) -> int:
    """Return the GPUs, or without any the cores, of the nodes that so many pods need."""
    one = at_most(instance_type)
    gpus = gpus_of_pod(runtime)
    nodes = math.ceil(pods / max(1, one.pods(*size_of_pod(runtime), gpus)))
    return nodes * (max(one.gpus, gpus) if gpus else one.cpus)


def _disruption(nodes: Nodes) -> Manifest:
    policy = "WhenEmptyOrUnderutilized" if nodes.consolidate else "WhenEmpty"
    return {
        "consolidationPolicy": policy,
        "consolidateAfter": nodes.consolidate_after,
        "budgets": [dict(budget) for budget in BUDGETS],
    }


def _volumes(nodes: Nodes, key: str | None) -> Iterator[Manifest]:
    yield _volume(SYSTEM_DEVICE, nodes.os_volume, key)
    match nodes.image_cache:
        case "soci":
            yield _volume(DATA_DEVICE, _UNUSED_VOLUME, key)
        case "ebs-snapshot":
            yield _volume(DATA_DEVICE, nodes.data_volume, key, snapshotID=nodes.snapshot)
        case "none":
            yield _volume(DATA_DEVICE, nodes.data_volume, key)


def _volume(device: str, volume: Volume, key: str | None, **more: Any) -> Manifest:
    ebs = {
        "volumeSize": f"{volume.size}Gi",
        "volumeType": "gp3",
        "iops": volume.iops,
        "throughput": volume.throughput,
        "encrypted": True,
        **({"kmsKeyID": key} if key else {}),
        "deleteOnTermination": True,
    }
    return {"deviceName": device, "ebs": ebs | more}
