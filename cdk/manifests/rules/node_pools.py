"""Rules on NodePools: the one each worker group selects, its labels, taints, limits, disruption."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from cdk.manifests.base import Manifest
from cdk.manifests.nodes import CAPACITY, GPU, POOL
from cdk.manifests.pods import DO_NOT_DISRUPT
from cdk.manifests.rules.requirements import allowed_values, named_values
from cdk.manifests.rules.rule import Objects, Rule
from models.quantities import quantity

_REASONS = ("Empty", "Drifted", "Underutilized")
"""Reasons for which Karpenter disrupts a node; a budget that names none means all of them."""


def _pool_exists(objects: Objects) -> Iterator[str]:
    pools = objects.named("NodePool")
    for group in objects.workers:
        if group.pool is None and group.requested(GPU):
            yield f"{group.name}: its pods ask for GPUs and for no pool"
        if group.pool is not None and group.pool not in pools:
            yield f"{group.name}: there is no NodePool {group.pool!r}"


def _node_class_exists(objects: Objects) -> Iterator[str]:
    classes = objects.named("EC2NodeClass")
    for name, pool in objects.named("NodePool").items():
        wanted = pool["spec"]["template"]["spec"]["nodeClassRef"]["name"]
        if wanted not in classes:
            yield f"{name}: there is no EC2NodeClass {wanted!r}"


def _pool_has_what_is_selected(objects: Objects) -> Iterator[str]:
    for _, group, pool in objects.pooled:
        for key, value in group.pod["nodeSelector"].items():
            if key != POOL and value not in allowed_values(pool, key):
                yield f"{group.name}: no node of its pool has {key}={value}"


def _taints_tolerated(objects: Objects) -> Iterator[str]:
    for _, group, pool in objects.pooled:
        tolerations = group.pod.get("tolerations", [])
        for taint in pool["template"]["spec"].get("taints", []):
            if not any(_tolerates(toleration, taint) for toleration in tolerations):
                yield f"{group.name}: does not tolerate {taint['key']} of its pool's nodes"


def _tolerates(toleration: Manifest, taint: Manifest) -> bool:
    same_value = toleration.get("operator") == "Exists" or toleration.get("value") == taint.get(
        "value"
    )
    return (
        toleration.get("key") == taint["key"]
        # A toleration without an effect is for all effects.
        and toleration.get("effect", taint["effect"]) == taint["effect"]
        and same_value
    )


def _gpu_nodes_tainted(objects: Objects) -> Iterator[str]:
    """Find GPU nodes without a taint, on which a pod without a GPU keeps the node up."""
    for name, pool in objects.named("NodePool").items():
        spec = pool["spec"]
        if GPU in spec.get("limits", {}) and not spec["template"]["spec"].get("taints"):
            yield f"{name}: GPU nodes without a taint take any pod"


def _groups_within_limits(objects: Objects) -> Iterator[str]:
    """Find groups that may ask for more GPUs than their pool's limit.

    Ray asks, Karpenter refuses: the pod stays pending, and so does the one of the next try.
    """
    most: defaultdict[str, Decimal] = defaultdict(Decimal)
    for name, group, _ in objects.pooled:
        most[name] += group.requested(GPU) * group.spec["maxReplicas"]
    for name, pool in objects.named("NodePool").items():
        limits = pool["spec"].get("limits", {})
        if not limits:
            yield f"{name}: no limits, so nothing bounds the bill"
        if GPU in limits and most[name] > quantity(limits[GPU]):
            yield f"{name}: its groups may ask for {most[name]} GPUs of {limits[GPU]}"


def _drift_waits(objects: Objects) -> Iterator[str]:
    """Find pools whose nodes are replaced while they work, or are kept though empty.

    Karpenter drains a node that drifted (its class or pool changed) with the tasks on it; an empty
    one goes for another reason, so a budget can hold back the first and not the second.
    """
    for pool_name, group, pool in objects.pooled:
        annotations = group.spec["template"]["metadata"].get("annotations", {})
        if DO_NOT_DISRUPT.items() <= annotations.items():
            continue
        never = _reasons_never_acted_on(pool)
        if "Drifted" not in never:
            yield (
                f"{group.name}: {pool_name}: a change of its nodes takes those that work"
                " (budgets: Drifted)"
            )
        if "Empty" in never:
            yield f"{group.name}: {pool_name}: no node goes, not even an empty one (budgets: Empty)"


def _reasons_never_acted_on(pool: Manifest) -> set[str]:
    """Return the reasons for which the pool's budgets let Karpenter take no node at any time."""
    budgets = pool.get("disruption", {}).get("budgets", [])
    # A budget with a schedule holds at times only.
    none = [one for one in budgets if one["nodes"] in {"0", "0%"} and "schedule" not in one]
    return {reason for one in none for reason in one.get("reasons", _REASONS)}


def _requirements_agree(objects: Objects) -> Iterator[str]:
    """Find keys whose requirements exclude each other: no node of the pool ever starts."""
    for name, pool in objects.named("NodePool").items():
        spec = pool["spec"]
        for key in dict.fromkeys(one["key"] for one in spec["template"]["spec"]["requirements"]):
            if named_values(spec, key) and not allowed_values(spec, key):
                yield f"{name}: no node has {key} as its requirements say (nodes.requirements)"


def _spot_first(objects: Objects) -> Iterator[str]:
    by_pool: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, group, _ in objects.pooled:
        capacity = group.pod["nodeSelector"].get(CAPACITY, "")
        by_pool[name][capacity] = group.spec.get("priority", 0)
    for name, priority in by_pool.items():
        # By these defaults a pool with one kind of capacity passes.
        if priority.get("spot", 1) <= priority.get("on-demand", 0):
            yield f"{name}: on demand would be taken before Spot"


RULES = (
    Rule("pool-exists", _pool_exists),
    Rule("node-class-exists", _node_class_exists),
    Rule("pool-has-what-is-selected", _pool_has_what_is_selected),
    Rule("taints-tolerated", _taints_tolerated),
    Rule("gpu-nodes-tainted", _gpu_nodes_tainted),
    Rule("groups-within-limits", _groups_within_limits),
    Rule("drift-waits", _drift_waits),
    Rule("requirements-agree", _requirements_agree),
    Rule("spot-first", _spot_first),
)
