"""Who may talk to whom, by the network policies as Kubernetes reads them."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from cdk.manifests import Manifest
from tests.manifests.world import made

Labels = Mapping[str, str]
Place = Labels | str
"""A pod, by its labels; or an address."""

OURS = {"app.kubernetes.io/part-of": "atelier", "app.kubernetes.io/instance": "easel"}
HEAD, INGEST, RUNTIME, REDIS = (
    OURS | {"app.kubernetes.io/component": name} for name in ("head", "ingest", "runtime", "redis")
)
DNS = {"k8s-app": "kube-dns"}
OPERATOR = {"app.kubernetes.io/name": "kuberay-operator"}
STRANGER = {"app.kubernetes.io/name": "stranger"}
BALANCER, INTERNET, METADATA, ROLES = "10.0.3.7", "52.1.2.3", "169.254.169.254", "169.254.170.23"


@pytest.fixture(scope="module")
def policies() -> list[Manifest]:
    return [one for one in made() if one["kind"] == "NetworkPolicy"]


@pytest.mark.parametrize(
    ("source", "target", "port", "passes"),
    [
        (INGEST, HEAD, 6379, True),
        (HEAD, RUNTIME, 10_002, True),
        (RUNTIME, INGEST, 33_333, True),
        (BALANCER, HEAD, 8000, True),
        (BALANCER, HEAD, 8265, False),
        (BALANCER, RUNTIME, 8000, False),
        (INTERNET, HEAD, 8000, False),
        (OPERATOR, HEAD, 8265, True),
        (OPERATOR, RUNTIME, 8265, False),
        (STRANGER, HEAD, 8265, False),
        (STRANGER, REDIS, 6379, False),
        (HEAD, REDIS, 6379, True),
        (RUNTIME, REDIS, 6379, False),
        (REDIS, INTERNET, 443, False),
        (INGEST, DNS, 53, True),
        (RUNTIME, INTERNET, 443, True),
        (RUNTIME, INTERNET, 22, False),
        (RUNTIME, ROLES, 80, True),
        (RUNTIME, METADATA, 80, False),
        (INGEST, METADATA, 80, False),
    ],
)
def test_a_connection(
    policies: list[Manifest], source: Place, target: Place, port: int, *, passes: bool
) -> None:
    assert reaches(policies, source, target, port) is passes


def test_a_redis_elsewhere_is_reached_by_the_head_alone() -> None:
    elsewhere = made(rayCluster={"redisAddress": "rediss://redis.example.org:6380"})
    found = [one for one in elsewhere if one["kind"] == "NetworkPolicy"]

    assert reaches(found, HEAD, "10.0.9.9", 6380)
    assert not reaches(found, RUNTIME, "10.0.9.9", 6380)
    assert not [one for one in elsewhere if one["kind"] == "StatefulSet"]


def reaches(policies: list[Manifest], source: Place, target: Place, port: int) -> bool:
    """Both ends must let it pass; a pod that no policy selects lets everything pass."""
    return _allows(policies, "egress", source, target, port) and _allows(
        policies, "ingress", target, source, port
    )


def _allows(policies: list[Manifest], direction: str, pod: Place, peer: Place, port: int) -> bool:
    if isinstance(pod, str):
        return True
    kind = direction.capitalize()
    found = [
        one["spec"]
        for one in policies
        if kind in one["spec"]["policyTypes"] and _selects(one["spec"]["podSelector"], pod)
    ]
    rules = [rule for spec in found for rule in spec.get(direction, [])]
    return not found or any(_rule(rule, direction, peer, port) for rule in rules)


def _rule(rule: Any, direction: str, peer: Place, port: int) -> bool:
    ports = [one["port"] for one in rule.get("ports", [])]
    peers = rule["to" if direction == "egress" else "from"]
    return (not ports or port in ports) and any(_matches(one, peer) for one in peers)


def _matches(one: Any, peer: Place) -> bool:
    match peer:
        case str():
            block = one.get("ipBlock")
            return block is not None and _within(block, peer)
        case _:
            return "podSelector" in one and _selects(one["podSelector"], peer)


def _within(block: Any, address: str) -> bool:
    inside: Iterator[bool] = (ip_address(address) in ip_network(c) for c in block.get("except", []))
    return ip_address(address) in ip_network(block["cidr"]) and not any(inside)


def _selects(selector: Any, labels: Labels) -> bool:
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(
        labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", [])
    )
