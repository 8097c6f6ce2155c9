"""Kubernetes API that has an installation's objects, as far as kubectl asks for them.

Kinds, names and labels are those of the built manifests; pods have the labels of their templates,
which KubeRay and Kubernetes give them.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cdk.manifests import Manifest
from tests.cli.loopback import serving

Answer = tuple[int, Any]
_ANNOTATIONS = (
    256 * 1024
)  # bytes of an object's annotations, in one of which kubectl apply notes the object
_PATH = re.compile(
    r"/apis?(?:/(?P<group>[^/]+\.[^/]+|apps|policy))?/(?P<version>v\w+)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[a-z0-9]+)"
    r"(?:/(?P<name>[^/]+))?(?P<log>/log)?"
)
_SELECTOR = re.compile(r"(?P<key>[\w./-]+)(?:=(?P<one>[\w.-]+)| in \((?P<some>[^)]*)\))")


@dataclass(frozen=True)
class Resource:
    """Kind of objects, as an API server lists it."""

    api: str
    plural: str
    kind: str
    namespaced: bool = True
    short: str | None = None


RESOURCES = (
    Resource("v1", "pods", "Pod", short="po"),
    Resource("v1", "events", "Event"),
    Resource("v1", "persistentvolumeclaims", "PersistentVolumeClaim", short="pvc"),
    Resource("v1", "persistentvolumes", "PersistentVolume", namespaced=False, short="pv"),
    Resource("v1", "namespaces", "Namespace", namespaced=False),
    Resource("v1", "nodes", "Node", namespaced=False),
    Resource("v1", "secrets", "Secret"),
    Resource("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy"),
    Resource("ray.io/v1", "rayservices", "RayService"),
    Resource("ray.io/v1", "rayclusters", "RayCluster"),
    Resource("karpenter.sh/v1", "nodepools", "NodePool", namespaced=False),
    Resource("karpenter.sh/v1", "nodeclaims", "NodeClaim", namespaced=False),
    Resource("karpenter.k8s.aws/v1", "ec2nodeclasses", "EC2NodeClass", namespaced=False),
    Resource(
        "apiextensions.k8s.io/v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        namespaced=False,
    ),
)


@dataclass
class Cluster:
    """Objects of a cluster, and questions that found nothing."""

    objects: list[Manifest]
    url: str = ""
    empty: list[str] = field(default_factory=list)
    """Questions that found nothing, which kubectl passes over in silence."""

    def named(self, kind: str) -> list[str]:
        """Return the names of all objects of a kind."""
        return [one["metadata"]["name"] for one in self.objects if one["kind"] == kind]

    def answer(self, method: str, url: str, body: bytes) -> Answer:
        """Answer a request: its status, and an object or text."""
        asked = urlsplit(url)
        known = _discovery(asked.path)
        if known is not None:
            return 200, known
        found = _PATH.fullmatch(asked.path)
        resource = found and _resource(found)
        if not found or resource is None:
            return _status(404, f"the server could not find {asked.path}")
        query = {key: values[0] for key, values in parse_qs(asked.query).items()}
        match method, found["name"]:
            case "GET", None:
                return self._list(resource, found["namespace"], query, url)
            case "POST", None:
                return self._create(json.loads(body))
            case "PATCH", name if resource.kind == "CustomResourceDefinition":
                return self._apply(resource, name, query)
            case _, name:
                return self._one(method, resource, found["namespace"], name, bool(found["log"]))

    def _list(
        self, resource: Resource, namespace: str | None, query: Mapping[str, str], url: str
    ) -> Answer:
        items = [one for one in self.objects if _is_of(one, resource, namespace)]
        items = [one for one in items if _is_selected(one, query.get("labelSelector", ""))]
        wanted = query.get("fieldSelector", "")
        if wanted.startswith("metadata.name="):
            name = wanted.partition("=")[2]
            items = [one for one in items if one["metadata"]["name"] == name]
        elif not items and resource.kind != "Event":
            self.empty.append(url)
        metadata = {"resourceVersion": "1"}
        kind = f"{resource.kind}List"
        return 200, {
            "kind": kind,
            "apiVersion": resource.api,
            "metadata": metadata,
            "items": items,
        }

    def _one(
        self, method: str, resource: Resource, namespace: str | None, name: str, log: bool
    ) -> Answer:
        there = [one for one in self.objects if _is_of(one, resource, namespace)]
        for one in there:
            if one["metadata"]["name"] == name:
                if method == "DELETE":
                    self.objects.remove(one)
                return 200, "serving\n" if log else one
        return _status(404, f'{resource.plural} "{name}" not found')

    def _create(self, made: Manifest) -> Answer:
        if made["metadata"].get("resourceVersion"):
            return _status(400, "resourceVersion should not be set on objects to be created")
        if sum(map(len, made["metadata"].get("annotations", {}).values())) > _ANNOTATIONS:
            return _status(422, f"metadata.annotations: Too long: may be {_ANNOTATIONS} bytes")
        self.objects.append(made)
        return 201, made

    def _apply(self, resource: Resource, name: str, query: Mapping[str, str]) -> Answer:
        """Take a whole object on the server's side, as its size asks for."""
        if query.get("force") != "true":
            return _status(409, "another manager has fields of it")
        made = {"apiVersion": resource.api, "kind": resource.kind, "metadata": {"name": name}}
        self.objects.append(made)
        return 201, made


@contextmanager
def served(cluster: Cluster) -> Iterator[Cluster]:
    """Serve the API over HTTP on loopback."""
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), _handler(cluster))) as cluster.url:
        yield cluster


def started(objects: Sequence[Manifest]) -> list[Manifest]:
    """Return the objects with the cluster and the pods made of them, and nodes of each pool."""
    service = next(one for one in objects if one["kind"] == "RayService")
    ray = service["spec"]["rayClusterConfig"]
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    groups = {"head": ray["headGroupSpec"]}
    groups |= {f"{group['groupName']}-worker": group for group in ray["workerGroupSpecs"]}
    active = f"{name}-x7k2p"
    pods = [
        _pod(f"{active}-{each}", namespace, group["template"]) for each, group in groups.items()
    ]
    sets = [one for one in objects if one["kind"] == "StatefulSet"]
    pods += [_pod(f"{s['metadata']['name']}-0", namespace, s["spec"]["template"]) for s in sets]
    # Labels of the driver's chart: charts/aws-mountpoint-s3-csi-driver 2.7.0, node.yaml.
    mount = {"metadata": {"labels": {"app": "s3-csi-node"}}, "spec": {"containers": []}}
    pods.append(_pod("s3-csi-node-b4r9t", "kube-system", mount))
    pools = [one["metadata"]["name"] for one in objects if one["kind"] == "NodePool"]
    nodes = [node for pool in pools for node in _nodes(pool)]
    running = {**service, "kind": "RayCluster", "spec": ray}
    running["metadata"] = {**service["metadata"], "name": active}
    status = {"activeServiceStatus": {"rayClusterName": active}}
    rest = (one for one in objects if one is not service)
    made = (*rest, {**service, "status": status}, running, *pods, *nodes)
    return [json.loads(json.dumps(one)) for one in made]


def _pod(name: str, namespace: str, template: Mapping[str, Any]) -> Manifest:
    metadata = {"name": name, "namespace": namespace, "labels": template["metadata"]["labels"]}
    status = {"phase": "Running"}
    spec = template["spec"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def _nodes(pool: str) -> Iterator[Manifest]:
    """Make nodes with their pool as a label, and Karpenter's claims for two of them."""
    labels = {"karpenter.sh/nodepool": pool}
    for end in ("8j2xk", "q9w4z"):
        metadata = {"name": f"{pool}-{end}", "labels": labels}
        yield {"apiVersion": "karpenter.sh/v1", "kind": "NodeClaim", "metadata": metadata}
        yield {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {}}


def _discovery(path: str) -> Any:
    """Tell which kinds there are, in the way that every kubectl reads."""
    by_api: dict[str, list[Resource]] = {}
    for resource in RESOURCES:
        by_api.setdefault(resource.api, []).append(resource)
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = [_group(api) for api in by_api if "/" in api]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    if path == "/openapi/v3":
        places = {_root(api): {"serverRelativeURL": f"{path}/{_root(api)}"} for api in by_api}
        return {"paths": places}
    api = path.removeprefix("/openapi/v3").removeprefix("/apis/").removeprefix("/api/")
    if api not in by_api:
        return None
    if path.startswith("/openapi/"):
        return {"openapi": "3.0.0", "paths": dict(map(_validated, by_api[api]))}
    listed = [_listed(resource) for resource in by_api[api]]
    return {"kind": "APIResourceList", "groupVersion": api, "resources": listed}


def _group(api: str) -> Any:
    group, _, version = api.partition("/")
    known = {"groupVersion": api, "version": version}
    return {"name": group, "versions": [known], "preferredVersion": known}


def _listed(resource: Resource) -> Any:
    return {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
        "shortNames": [resource.short] if resource.short else [],
    }


def _root(api: str) -> str:
    return f"apis/{api}" if "/" in api else f"api/{api}"


def _validated(resource: Resource) -> tuple[str, Any]:
    """Say of a kind that the server looks at fields by itself, so that kubectl need not."""
    group, _, version = resource.api.rpartition("/")
    patch = {
        "parameters": [{"name": "fieldValidation", "in": "query"}],
        "x-kubernetes-group-version-kind": {
            "group": group,
            "version": version,
            "kind": resource.kind,
        },
    }
    return f"/{_root(resource.api)}/{resource.plural}/{{name}}", {"patch": patch}


def _resource(found: re.Match[str]) -> Resource | None:
    api = "/".join(filter(None, (found["group"], found["version"])))
    return next((r for r in RESOURCES if (r.api, r.plural) == (api, found["plural"])), None)


def _is_of(one: Manifest, resource: Resource, namespace: str | None) -> bool:
    there = one["metadata"].get("namespace")
    is_kind = (one["apiVersion"], one["kind"]) == (resource.api, resource.kind)
    return is_kind and namespace in {None, there}


def _is_selected(one: Manifest, selector: str) -> bool:
    labels = one["metadata"].get("labels") or {}
    wanted = {
        found["key"]: {found["one"]} if found["one"] else set(re.split(r",\s*", found["some"]))
        for found in _SELECTOR.finditer(selector)
    }
    return all(labels.get(key) in values for key, values in wanted.items())


def _status(code: int, message: str) -> Answer:
    reason = {400: "BadRequest", 404: "NotFound", 409: "Conflict", 422: "Invalid"}[code]
    said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message}
    return code, {**said, "reason": reason, "code": code}


def _handler(cluster: Cluster) -> Any:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            code, answer = cluster.answer(self.command, self.path, body)
            is_text = isinstance(answer, str)
            said = (answer if is_text else json.dumps(answer)).encode()
            self.send_response(code)
            self.send_header("Content-Type", "text/plain" if is_text else "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_PATCH = do_DELETE = do_POST = do_GET  # noqa: N815 - the library's own names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the library has it
            pass

    return Handler
