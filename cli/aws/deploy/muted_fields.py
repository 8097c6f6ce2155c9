"""Muted fields of a Ray cluster: KubeRay brings a change of these to no running cluster.

KubeRay compares a hash of the RayService's `rayClusterConfig` with the one that it noted on the
running RayCluster, and leaves these fields out of both. So it makes no new cluster for them, and
changes them on no running one, unless it writes the whole spec anew: where worker groups are added
at the end, or KubeRay itself is of another version.

Source: github.com/ray-project/kuberay v1.7.0, in ray-operator/controllers/ray:
`GenerateHashWithoutReplicasAndWorkersToDelete` in utils/util.go, `rayClusterSpecForHashing` and
`shouldUpdateCluster` in rayservice_controller.go; read on 2026-11-29.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Spec = Mapping[str, Any]
Keys = tuple[str, ...]
HEAD = "headGroupSpec"
WORKERS = "workerGroupSpecs"


def _replaced(wanted: Any, running: Any) -> Any:
    del running
    return wanted


def _with_missing(wanted: Any, running: Any) -> Any:
    """Append what is asked for and missing to what is there: others write to the list, too."""
    return [*(running or ()), *_missing(wanted, running)]


def _missing(wanted: Any, running: Any) -> list[Any]:
    return [item for item in wanted if item not in (running or ())]


@dataclass(frozen=True)
class MutedField:
    """Muted field of a group of pods, or of the whole cluster."""

    keys: Keys
    describe: Callable[[str, Any, Any], str] | None = None
    """Formats a change of the group for people; None if the field belongs to other writers."""
    merge: Callable[[Any, Any], Any] = _replaced
    """Merges the wanted value with the running one."""


def _most(group: str, now: Any, had: Any) -> str:
    return f"{group} may have {now} pods, had {had}"


def _least(group: str, now: Any, had: Any) -> str:
    return f"{group} has at least {now} pods, had {had}"


def _tolerated(group: str, now: Any, had: Any) -> str:
    taints = ", ".join(_taint(toleration) for toleration in _missing(now, had))
    return f"new pods of {group} tolerate {taints}, too"


def _taint(toleration: Mapping[str, str]) -> str:
    value = f"={toleration['value']}" if "value" in toleration else ""
    return f"{toleration.get('key', 'every key')}{value}:{toleration.get('effect', 'every effect')}"


GROUP_FIELDS: Sequence[MutedField] = (
    MutedField(("minReplicas",), _least),
    MutedField(("maxReplicas",), _most),
    # Kueue writes here, too, so none is removed. A toleration that is left over does no harm: it
    # does not attract pods to other nodes.
    MutedField(("template", "spec", "tolerations"), _tolerated, _with_missing),
    # The autoscaler's two fields; it respects the bounds, and KubeRay makes no pods beyond them.
    MutedField(("replicas",)),
    MutedField(("scaleStrategy", "workersToDelete")),
    # Queues such as Kueue set gates to hold a cluster back, and remove them.
    MutedField(("template", "spec", "schedulingGates")),
)
CLUSTER_FIELDS: Sequence[MutedField] = (MutedField(("upgradeStrategy",)), MutedField(("suspend",)))
"""Muted fields of the whole cluster, none of them ours: the RayService has its own strategy."""


@dataclass(frozen=True)
class Change:
    """Difference of a muted field between a running group and the wanted one."""

    tests: Sequence[Mapping[str, Any]]
    """Operations of the JSON patch that fail if the cluster has changed since it was read."""
    operation: Mapping[str, Any]
    text: str
    """Sentence that tells people of the change."""

    @property
    def operations(self) -> Sequence[Mapping[str, Any]]:
        """JSON patch that makes the change, unless the field or the groups changed meanwhile."""
        return [*self.tests, self.operation]


def changes(running: Spec, wanted: Spec) -> list[Change]:
    """Return the changes that deploy makes to a running cluster: of its head and common groups."""
    wanted_groups = {name: group for name, _, group in _groups(wanted)}
    return [
        change
        for name, at, group in _groups(running)
        if name in wanted_groups
        for field in GROUP_FIELDS
        if (change := _change(name, at, group, wanted_groups[name], field))
    ]


def value(spec: Any, keys: Keys) -> Any:
    """Return the value at this path; None if there is none, or an empty list or mapping."""
    for key in keys:
        spec = spec.get(key) if isinstance(spec, Mapping) else None
    return None if spec in ([], {}) else spec


def _groups(spec: Spec) -> Iterator[tuple[str, Keys, Spec]]:
    """Yield name, path and spec of each group; paths of JSON patches address lists by index."""
    yield "", (HEAD,), spec[HEAD]
    for number, group in enumerate(spec.get(WORKERS) or ()):
        yield group["groupName"], (WORKERS, str(number)), group


def _change(name: str, at: Keys, running: Spec, wanted: Spec, field: MutedField) -> Change | None:
    """Return a field's change; None if nothing differs, or nothing is asked for."""
    running_value, wanted_value = value(running, field.keys), value(wanted, field.keys)
    if field.describe is None or wanted_value is None:
        return None
    merged = field.merge(wanted_value, running_value)
    if merged == running_value:
        return None
    tests = [_test(at, running, field.keys)]
    if name:
        # Paths count groups, and somebody may have added or removed one: then the name differs.
        tests = [_test(at, running, ("groupName",)), *tests]
    # JSON patch: `add` replaces an existing value.
    operation = {"op": "add", "path": _pointer(*at, *field.keys), "value": merged}
    return Change(
        tests,
        operation,
        field.describe(f"group {name}" if name else "the head", merged, running_value),
    )


def _test(at: Keys, group: Spec, keys: Keys) -> Mapping[str, Any]:
    """Make a patch's test of the present value, or of the nearest parent if there is none."""
    # Ends with the group itself, at the latest.
    while value(group, keys) is None:
        keys = keys[:-1]
    return {"op": "test", "path": _pointer(*at, *keys), "value": value(group, keys)}


def _pointer(*keys: str) -> str:
    """Make a JSON pointer (RFC 6901); no key of ours needs escaping."""
    return "/spec/" + "/".join(keys)
