"""Network policies of the pods; the VPC's CNI plugin enforces them, if it is told to."""

from collections.abc import Iterator

from cdk.manifests import pods
from cdk.manifests.base import COMPONENT, INSTANCE, Manifest, labels, metadata
from cdk.manifests.namespace import COMPONENTS
from models.names import kube
from models.settings import Settings

_LINK_LOCAL = "169.254.0.0/16"
_NODE_DNS = "169.254.20.10/32"
"""Address of NodeLocal DNSCache, in clusters that have it."""
_POD_IDENTITY = "169.254.170.23/32"
"""Address of EKS's Pod Identity agent on each node, which gives pods their roles."""
_RAY = {"key": COMPONENT, "operator": "In", "values": list(COMPONENTS)}


def policies(settings: Settings) -> list[Manifest]:
    """Build the policies: closed to all, then open to what is listed."""
    own = {"matchLabels": {INSTANCE: kube.ray_service(settings.names)}}
    ray = own | {"matchExpressions": [_RAY]}
    head = {"matchLabels": labels(settings, "head")}
    peers: list[Manifest] = [{"podSelector": ray}]
    return [
        _policy(settings, "nothing", own, ingress=[], egress=[]),
        # Ray's processes talk on many ports, which they choose themselves.
        _policy(settings, "ray", ray, ingress=[{"from": peers}], egress=[{"to": peers}]),
        _policy(settings, "serve", head, ingress=_into_head(settings)),
        _policy(settings, "out", ray, egress=_to_outside()),
        *_state(settings, head),
        *_metrics(settings, ray),
    ]


def _policy(settings: Settings, name: str, selector: Manifest, **rules: list[Manifest]) -> Manifest:
    spec = {
        "podSelector": selector,
        # Named: by an empty list of rules alone Kubernetes would not close the way out.
        "policyTypes": [direction.capitalize() for direction in rules],
        **rules,
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(settings, f"{kube.ray_service(settings.names)}-{name}"),
        "spec": spec,
    }


def _into_head(settings: Settings) -> list[Manifest]:
    """Admit HTTP from the load balancer, and KubeRay, which deploys and watches the application."""
    cidrs = (settings.vpc.cidr, *settings.vpc.more_cidrs)
    vpc: list[Manifest] = [{"ipBlock": {"cidr": str(cidr)}} for cidr in cidrs]
    # In one element both selectors must hold; in two elements either would let a pod in.
    operator = {
        "namespaceSelector": {},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "kuberay-operator"}},
    }
    return [
        {"from": vpc, "ports": [_tcp(pods.SERVE_PORT)]},
        {"from": [operator], "ports": [_tcp(pods.DASHBOARD_PORT), _tcp(pods.SERVE_PORT)]},
    ]


def _to_outside() -> list[Manifest]:
    """Allow DNS, the Pod Identity agent, and the web: AWS, links in tasks, callbacks."""
    dns = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    cache = {"ipBlock": {"cidr": _NODE_DNS}}
    return [
        # Answers that are too long for UDP come by TCP.
        {"to": [dns, cache], "ports": [{"protocol": "UDP", "port": 53}, _tcp(53)]},
        {"to": [{"ipBlock": {"cidr": _POD_IDENTITY}}], "ports": [_tcp(80)]},
        {"to": [_internet()], "ports": [_tcp(443), _tcp(80)]},
    ]


def _state(settings: Settings, head: Manifest) -> Iterator[Manifest]:
    """Allow the head, and nobody else, to reach the Redis that keeps its state."""
    address = settings.ray_cluster.redis_address
    if address is not None:
        port = _tcp(int(address.rpartition(":")[2]))
        yield _policy(settings, "state", head, egress=[{"to": [_internet()], "ports": [port]}])
        return
    redis = {"matchLabels": labels(settings, "redis")}
    port = _tcp(pods.REDIS_PORT)
    out = {"to": [{"podSelector": redis}], "ports": [port]}
    admitted = {"from": [{"podSelector": head}], "ports": [port]}
    yield _policy(settings, "state", head, egress=[out])
    yield _policy(settings, "redis", redis, ingress=[admitted])


def _metrics(settings: Settings, ray: Manifest) -> Iterator[Manifest]:
    """Admit Prometheus to the metrics of every Ray pod, if its namespace is set."""
    if namespace := settings.ray_cluster.metrics_namespace:
        named = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        admitted = {"from": [{"namespaceSelector": named}], "ports": [_tcp(pods.METRICS_PORT)]}
        yield _policy(settings, "metrics", ray, ingress=[admitted])


def _internet() -> Manifest:
    """Return all addresses but the link-local ones: no pod is to get its node's credentials."""
    return {"ipBlock": {"cidr": "0.0.0.0/0", "except": [_LINK_LOCAL]}}


def _tcp(port: int) -> Manifest:
    return {"protocol": "TCP", "port": port}
