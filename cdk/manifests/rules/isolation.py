"""Rules on isolation: a namespace with the standard `restricted`, network policies on every pod."""

from collections.abc import Iterator

from cdk.manifests.rules.rule import Objects, Rule

_ENFORCE = "pod-security.kubernetes.io/enforce"
_CLUSTER_SCOPED = frozenset({"Namespace", "NodePool", "EC2NodeClass"})
_PEERS = {"ingress": "from", "egress": "to"}


def _namespace_restricted(objects: Objects) -> Iterator[str]:
    name = objects.ray_service["metadata"]["namespace"]
    found = objects.named("Namespace").get(name)
    if found is None:
        yield f"{name}: there is no Namespace {name!r}"
    elif found["metadata"].get("labels", {}).get(_ENFORCE) != "restricted":
        yield f"{name}: takes any pod ({_ENFORCE})"


def _one_namespace(objects: Objects) -> Iterator[str]:
    """Find objects in another namespace, where pods do not find them and no policy closes."""
    own = objects.ray_service["metadata"]["namespace"]
    for one in objects.manifests:
        where = one["metadata"].get("namespace")
        if one["kind"] == "PersistentVolume":
            where = one["spec"]["claimRef"]["namespace"]
        elif one["kind"] in _CLUSTER_SCOPED:
            continue
        if where != own:
            yield f"{one['kind']} {one['metadata']['name']}: in {where}, not in {own}"


def _pods_closed(objects: Objects) -> Iterator[str]:
    """Find pods that no policy closes: Kubernetes lets everything pass to those."""
    policies = [one["spec"] for one in objects.of("NetworkPolicy")]
    for name, pod in objects.pods:
        labels = pod["metadata"]["labels"].items()
        for direction in _PEERS:
            closing = [one["podSelector"] for one in policies if direction in one]
            # What has expressions, too, may select less than its labels do, and is not relied on.
            plain = (one["matchLabels"] for one in closing if one.keys() == {"matchLabels"})
            if not any(each.items() <= labels for each in plain):
                yield f"{name}: no NetworkPolicy closes its {direction}"


def _open_to_somebody(objects: Objects) -> Iterator[str]:
    for name, policy in objects.named("NetworkPolicy").items():
        for direction, peers in _PEERS.items():
            # Without peers, or with an empty list of them, a rule lets everybody pass.
            if not all(rule.get(peers) for rule in policy["spec"].get(direction, ())):
                yield f"{name}: {direction} is open to everybody"


RULES = (
    Rule("namespace-restricted", _namespace_restricted),
    Rule("one-namespace", _one_namespace),
    Rule("pods-closed", _pods_closed),
    Rule("open-to-somebody", _open_to_somebody),
)
