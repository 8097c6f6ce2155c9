"""Chart values that a runtime's ``extraValues`` may have, each with an example."""

from collections.abc import Iterator, Mapping
from typing import Any

from models.settings import Settings
from models.settings.reference_table import MEANS_NOTHING
from tests.cdk.walk.changes import before, put, read
from tests.cdk.walk.leaves import Leaf, leaves

UNDER = "modelsRuntime[].extraValues"
_PROVISIONER, _TEMPLATE = "karpenter.provisioner", "karpenter.nodeTemplate"
_API, _SCALING = "runtime.inferenceApi", "runtime.scaling"
EXAMPLES: Mapping[str, Any] = {
    f"{_PROVISIONER}.labels": {"team": "art"},
    f"{_PROVISIONER}.annotations": {"note": "nodes"},
    f"{_PROVISIONER}.capacityType": {"spot": False},
    f"{_PROVISIONER}.instanceType": ["g6e.xlarge"],
    f"{_PROVISIONER}.extraRequirements": [{"key": "generation", "values": ["6"]}],
    f"{_PROVISIONER}.extraTaints": [{"key": "artists"}],
    f"{_PROVISIONER}.resourceLimits": {"nvidia.com/gpu": 7},
    f"{_PROVISIONER}.consolidation": True,
    f"{_PROVISIONER}.disruption": {"consolidateAfter": "77s", "expireAfter": "77h"},
    f"{_TEMPLATE}.tags": {"team": "art"},
    f"{_TEMPLATE}.osVolume": {"size": "77Gi", "iops": 4_000, "throughput": 300},
    f"{_TEMPLATE}.dataVolume": {"size": "277Gi", "snapshotID": "snap-0a"},
    f"{_TEMPLATE}.userData": "[settings.ntp]\n",
    "runtime.labels": {"team": "art"},
    "runtime.annotations": {"note": "pods"},
    f"{_SCALING}.cooldownPeriod": 77,
    f"{_SCALING}.queueLength": 7,
    f"{_SCALING}.pollingInterval": 7,
    f"{_SCALING}.minReplicaCount": 2,
    f"{_SCALING}.maxReplicaCount": 7,
    f"{_SCALING}.scaleOnInFlight": False,
    f"{_SCALING}.extraHPAConfig": {"scaleDown": {"stabilizationWindowSeconds": 77}},
    f"{_SCALING}.enabled": False,
    f"{_API}.image": "registry.example.com/mine:1",
    f"{_API}.modelFilename": "another.safetensors",
    f"{_API}.extraEnv": [{"name": "TEAM", "value": "art"}],
    f"{_API}.imagePullPolicy": "Always",
    f"{_API}.resources": {"limits": {"nvidia.com/gpu": 1, "cpu": "2500m", "memory": "6Gi"}},
    "runtime.queueAgent.dynamicModel": True,
    "runtime.persistence.existingClaim": "weights",
}
AS_IT_IS: Mapping[str, str] = {
    f"{_TEMPLATE}.amiFamily": "Bottlerocket",
    f"{_TEMPLATE}.instanceStorePolicy": "RAID0",
}
"""Values of which only the one that holds anyway is accepted."""
MEANINGLESS: Mapping[str, Any] = {
    **dict.fromkeys(sorted(MEANS_NOTHING), "something"),
    f"{_SCALING}.extraHPAConfig.name": "mine",
    f"{_API}.image": "public.ecr.aws/bingjiao/sd-on-eks/sdwebui:latest",
    f"{_TEMPLATE}.osVolume.snapshotID": "snap-0a",
    f"{_API}.resources.requests": {"cpu": "2500m"},
}
"""Values that change nothing, all of them or only those listed."""


def with_value(path: str, value: Any) -> dict[str, Any]:
    """Return a configuration with a chart value; nothing else is said of nodes, scaling."""
    given = without_value()
    put(given, f"{UNDER}.{path}", value)
    return given


def without_value() -> dict[str, Any]:
    """Return that configuration without the chart value."""
    given = before(UNDER)
    put(given, "modelsRuntime[].nodes", {})
    put(given, "modelsRuntime[].scaling", {})
    return given


def becomes(path: str) -> Iterator[Leaf]:
    """Yield the settings of a runtime that a chart value sets."""
    old, new = (read(each) for each in (without_value(), with_value(path, EXAMPLES[path])))
    for leaf in leaves():
        under, _, setting = leaf.path.partition("[].")
        if under == "modelsRuntime" and setting != "extraValues":
            group = setting.partition("[]")[0].split(".")
            if _at(old, group) != _at(new, group):
                yield leaf


def _at(settings: Settings, path: list[str]) -> Any:
    found: Any = settings.model_dump(by_alias=True)["modelsRuntime"][0]
    for key in path:
        found = found[key]
    return found
