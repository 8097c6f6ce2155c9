"""Imitation of KubeRay: the part that makes Ray clusters of a RayService, after version 1.7.0.

What it looks at, when it does what, and when it writes a status: `rayservice_controller.go`,
`utils/util.go` and `utils/consistency.go` of github.com/ray-project/kuberay v1.7.0, read on
2026-11-30. Its objects are the API's answers.
"""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from cdk.manifests import Manifest
from tests.cli.aws.kubernetes_api import KubeApi

Reaction = Literal["nothing", "in place", "new cluster", "ignored"]
_GROUP = "/apis/ray.io/v1/namespaces"
_NEW: Manifest = {
    "observedGeneration": 0,
    "numServeEndpoints": 0,
    "conditions": [],
    "activeServiceStatus": {},
    "pendingServiceStatus": {},
}
_WRITTEN = frozenset({"rayStartParams"})
"""Fields that Go writes even if empty."""
_DEFAULTS = {"replicas": 0, "minReplicas": 0, "maxReplicas": 2147483647, "numOfHosts": 1}


def path_of(kind: str, name: str, namespace: str = "atelier") -> str:
    return f"{_GROUP}/{namespace}/{kind}/{name}"


def reaction(running: Manifest, wanted: Manifest, upgrade: str) -> Reaction:
    """Return KubeRay's reaction if a cluster was made of one spec and another is asked for."""
    if _hash(running) == _hash(wanted):
        return "nothing"
    groups = len(running["workerGroupSpecs"])
    first = {**wanted, "workerGroupSpecs": wanted["workerGroupSpecs"][:groups]}
    if _hash(running) == _hash(first):
        return "in place"
    return "new cluster" if upgrade == "NewCluster" else "ignored"


@dataclass
class KubeRay:
    """KubeRay operator, which looks when a test tells it to."""

    api: KubeApi
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def apply(self, service: Manifest) -> None:
        """Store a RayService as the stack does; the generation goes up if it is another one."""
        place = path_of("rayservices", service["metadata"]["name"])
        there = self.api.answers.get(place, {"metadata": {"generation": 0}, "spec": {}})
        spec = deepcopy(service["spec"])
        for group in spec["rayClusterConfig"]["workerGroupSpecs"]:
            group.update(_DEFAULTS | group)
        generation = there["metadata"]["generation"] + (spec != there["spec"])
        metadata = {**service["metadata"], "generation": generation}
        self.api.answers[place] = {**there, "metadata": metadata, "spec": spec}

    def look(self) -> None:
        """Do what it does to each RayService within seconds."""
        for place, service in list(self.api.answers.items()):
            if "/rayservices/" in place:
                self.api.answers[place] = {**service, "status": self._looked(service)}

    def promote(self) -> None:
        """Let what comes up serve, as it does once that is ready; the former goes."""
        for service in self._services():
            status = service["status"]
            if status["pendingServiceStatus"]:
                former = status["activeServiceStatus"].get("rayClusterName", "")
                self.api.answers.pop(path_of("rayclusters", former), None)
                status["activeServiceStatus"] = status.pop("pendingServiceStatus")
                status["pendingServiceStatus"] = {}
                status["numServeEndpoints"] = 1
        self.look()

    def _services(self) -> list[Any]:
        return [one for place, one in self.api.answers.items() if "/rayservices/" in place]

    def _looked(self, service: Manifest) -> Manifest:
        """Return the status that is written then; a new generation alone is not written."""
        status: Manifest = _NEW | service.get("status", {})
        active, pending = (
            status[which].get("rayClusterName", "")
            for which in ("activeServiceStatus", "pendingServiceStatus")
        )
        if pending and not self._cluster(pending):
            self._make(service, pending)
        elif self._react(service, pending or active) == "new cluster":
            pending = f"{service['metadata']['name']}-{next(self.numbers)}"
        comes_up = {"rayClusterName": pending} if pending else {}
        generation = service["metadata"]["generation"]
        made = status | {"pendingServiceStatus": comes_up, "observedGeneration": generation}
        made["conditions"] = _conditions(made)
        seen = {"observedGeneration": generation}
        return status if status | seen == made else made

    def _react(self, service: Manifest, name: str) -> Reaction:
        cluster = self._cluster(name)
        if cluster is None:
            return "new cluster"
        spec = service["spec"]
        made_of = json.loads(cluster["metadata"]["annotations"]["made-of"])
        found = reaction(made_of, spec["rayClusterConfig"], spec["upgradeStrategy"]["type"])
        if found == "in place":
            self._make(service, name)
        return found

    def _cluster(self, name: str) -> Any:
        return self.api.answers.get(path_of("rayclusters", name))

    def _make(self, service: Manifest, name: str) -> None:
        spec = service["spec"]["rayClusterConfig"]
        self.api.answers[path_of("rayclusters", name)] = {
            "apiVersion": "ray.io/v1",
            "kind": "RayCluster",
            # KubeRay notes a hash of these; here the spec itself is noted.
            "metadata": {"name": name, "annotations": {"made-of": json.dumps(spec)}},
            "spec": through_go(spec),
        }


def _conditions(status: Manifest) -> list[Manifest]:
    """Return both conditions; while a first cluster comes up, they stay as they were at first."""
    known = {one["type"]: one for one in status["conditions"]}
    generation = status["observedGeneration"]

    def put(name: str, *, is_so: bool, reason: str) -> None:
        said = {"status": str(is_so), "reason": reason, "observedGeneration": generation}
        known[name] = {"type": name, **said}

    if not known:
        put("Ready", is_so=False, reason="Initializing")
        put("UpgradeInProgress", is_so=False, reason="Initializing")
    if status["numServeEndpoints"]:
        put("Ready", is_so=True, reason="NonZeroServeEndpoints")
    if status["activeServiceStatus"]:
        both = bool(status["pendingServiceStatus"])
        reason = "BothActivePendingClustersExist" if both else "NoPendingCluster"
        put("UpgradeInProgress", is_so=both, reason=reason)
    return list(known.values())


def through_go(spec: Any, key: str = "") -> Any:
    """Write a spec as Go does: quantities in their shortest form, empty fields left out."""
    if isinstance(spec, Mapping):
        made = {name: through_go(part, name) for name, part in spec.items()}
        if key in {"requests", "limits"} and made.get("cpu") == "0.5":
            made["cpu"] = "500m"
        return {n: part for n, part in made.items() if part not in ([], {}, "") or n in _WRITTEN}
    return [through_go(part) for part in spec] if isinstance(spec, list) else spec


def _hash(spec: Manifest) -> str:
    """Hash a spec without its muted fields."""
    bare = deepcopy(spec)
    bare.pop("upgradeStrategy", None)
    bare.pop("suspend", None)
    for group in (bare["headGroupSpec"], *bare["workerGroupSpecs"]):
        for muted in ("replicas", "minReplicas", "maxReplicas", "scaleStrategy"):
            group.pop(muted, None)
        for muted in ("tolerations", "schedulingGates"):
            group["template"]["spec"].pop(muted, None)
    return json.dumps(through_go(bare), sort_keys=True)
