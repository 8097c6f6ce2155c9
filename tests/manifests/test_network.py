"""Traffic that the network policies let through, as Kubernetes reads them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from cdk.manifests import Manifest
from tests.manifests.world import made, named

OURS = {"app.kubernetes.io/part-of": "atelier", "app.kubernetes.io/instance": "easel"}


@dataclass(frozen=True)
class Pod:
    labels: Mapping[str, str]
    namespace: str = "atelier"


Place = Pod | str
"""Pod, or address."""

HEAD, INGEST, RUNTIME, REDIS = (
    Pod(OURS | {"app.kubernetes.io/component": name})
    for name in ("head", "ingest", "runtime", "redis")
)
DNS = Pod({"k8s-app": "kube-dns"}, "kube-system")
OPERATOR = Pod({"app.kubernetes.io/name": "kuberay-operator"}, "kuberay-operator")
STRANGER = Pod({"app.kubernetes.io/name": "stranger"})
NAMESAKE = Pod(INGEST.labels, "elsewhere")
WATCHER = Pod({"app.kubernetes.io/name": "prometheus"}, "watchers")
BALANCER, INTERNET, METADATA, ROLES = "10.0.3.7", "52.1.2.3", "169.254.169.254", "169.254.170.23"
NODE_DNS = "169.254.20.10"


def policies_of(**more: Any) -> list[Manifest]:
    return [one for one in made(**more) if one["kind"] == "NetworkPolicy"]


@pytest.fixture(scope="module")
def policies() -> list[Manifest]:
    return policies_of()


@pytest.mark.parametrize(
    ("source", "target", "port", "passes"),
    [
        (INGEST, HEAD, "TCP 6379", True),
        (HEAD, RUNTIME, "TCP 10002", True),
        (RUNTIME, INGEST, "TCP 33333", True),
        (NAMESAKE, HEAD, "TCP 6379", False),
        (BALANCER, HEAD, "TCP 8000", True),
        (BALANCER, HEAD, "UDP 8000", False),
        (BALANCER, HEAD, "TCP 8265", False),
        (BALANCER, RUNTIME, "TCP 8000", False),
        (INTERNET, HEAD, "TCP 8000", False),
        (OPERATOR, HEAD, "TCP 8265", True),
        (OPERATOR, RUNTIME, "TCP 8265", False),
        (STRANGER, HEAD, "TCP 8265", False),
        (STRANGER, REDIS, "TCP 6379", False),
        (WATCHER, RUNTIME, "TCP 8080", False),
        (HEAD, REDIS, "TCP 6379", True),
        (RUNTIME, REDIS, "TCP 6379", False),
        (REDIS, INTERNET, "TCP 443", False),
        (INGEST, DNS, "UDP 53", True),
        (INGEST, DNS, "TCP 53", True),
        (INGEST, DNS, "TCP 443", False),
        (INGEST, NODE_DNS, "UDP 53", True),
        (INGEST, NODE_DNS, "TCP 80", False),
        (RUNTIME, INTERNET, "TCP 443", True),
        (RUNTIME, INTERNET, "UDP 443", False),
        (RUNTIME, INTERNET, "TCP 22", False),
        (RUNTIME, ROLES, "TCP 80", True),
        (RUNTIME, METADATA, "TCP 80", False),
        (INGEST, METADATA, "TCP 80", False),
    ],
)
def test_a_connection(
    policies: list[Manifest], source: Place, target: Place, port: str, *, passes: bool
) -> None:
    assert reaches(policies, source, target, port) is passes


def test_the_heads_state_is_reached_by_its_services_address(policies: list[Manifest]) -> None:
    """The VPC's plugin knows of such an address what the Service selects, and on which port."""
    service = named(made(), "Service", "easel-redis")["spec"]
    (port,) = service["ports"]

    assert _allows(policies, "egress", HEAD, Pod(service["selector"]), f"TCP {port['port']}")
    assert not _allows(policies, "egress", RUNTIME, Pod(service["selector"]), "TCP 6379")


def test_a_redis_elsewhere_is_reached_by_the_head_alone() -> None:
    elsewhere = made(rayCluster={"redisAddress": "rediss://redis.example.org:6380"})
    found = [one for one in elsewhere if one["kind"] == "NetworkPolicy"]

    assert reaches(found, HEAD, "10.0.9.9", "TCP 6380")
    assert not reaches(found, RUNTIME, "10.0.9.9", "TCP 6380")
    assert not [one for one in elsewhere if one["kind"] == "StatefulSet"]


def test_a_load_balancer_in_a_further_range_of_the_network_reaches_the_front() -> None:
    wider = policies_of(vpc={"moreCidrs": ["100.64.0.0/16"]})

    assert reaches(wider, "100.64.3.7", HEAD, "TCP 8000")
    assert reaches(wider, BALANCER, HEAD, "TCP 8000")


def test_metrics_are_read_from_the_namespace_that_is_named_and_nothing_else_is() -> None:
    watched = policies_of(rayCluster={"metricsNamespace": "watchers"})

    assert all(reaches(watched, WATCHER, pod, "TCP 8080") for pod in (HEAD, INGEST, RUNTIME))
    assert not reaches(watched, WATCHER, HEAD, "TCP 8265")
    assert not reaches(watched, STRANGER, HEAD, "TCP 8080")


def reaches(policies: list[Manifest], source: Place, target: Place, port: str) -> bool:
    """Tell whether both ends let it pass; a pod that no policy selects lets everything pass."""
    return _allows(policies, "egress", source, target, port) and _allows(
        policies, "ingress", target, source, port
    )


def _allows(policies: list[Manifest], direction: str, pod: Place, peer: Place, port: str) -> bool:
    if isinstance(pod, str):
        return True
    kind = direction.capitalize()
    found = [
        one
        for one in policies
        if kind in one["spec"]["policyTypes"]
        and one["metadata"]["namespace"] == pod.namespace
        and _selects(one["spec"]["podSelector"], pod.labels)
    ]
    rules = [(one, rule) for one in found for rule in one["spec"].get(direction, [])]
    return not found or any(
        _to_port(rule, port) and _to_peer(rule, direction, one["metadata"]["namespace"], peer)
        for one, rule in rules
    )


def _to_port(rule: Any, port: str) -> bool:
    """Return port and protocol; Kubernetes takes a port that names no protocol for TCP."""
    ports = [f"{one.get('protocol', 'TCP')} {one['port']}" for one in rule.get("ports", [])]
    return not ports or port in ports


def _to_peer(rule: Any, direction: str, namespace: str, peer: Place) -> bool:
    peers = rule["to" if direction == "egress" else "from"]
    return any(_matches(one, namespace, peer) for one in peers)


def _matches(one: Any, namespace: str, peer: Place) -> bool:
    """Tell whether a peer matches; without a selector of namespaces the policy's own is meant."""
    match peer:
        case str():
            block = one.get("ipBlock")
            return block is not None and _within(block, peer)
        case Pod():
            own = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
            of = {"kubernetes.io/metadata.name": peer.namespace}
            return (
                "ipBlock" not in one
                and _selects(one.get("namespaceSelector", own), of)
                and _selects(one.get("podSelector", {}), peer.labels)
            )


def _within(block: Any, address: str) -> bool:
    inside: Iterator[bool] = (ip_address(address) in ip_network(c) for c in block.get("except", []))
    return ip_address(address) in ip_network(block["cidr"]) and not any(inside)


def _selects(selector: Any, labels: Mapping[str, str]) -> bool:
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(
        labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", [])
    )
