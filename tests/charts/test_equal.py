"""Chart and stack have the same objects from the same settings."""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest
import yaml

from cdk.manifests import objects
from models.settings import Settings
from tests.charts.helm import LEAST, PROFILE, Values, rendered, values

CASES: Mapping[str, Values] = {
    "as it comes": LEAST,
    "two runtimes, every setting changed": {
        "stackName": "Pictures-Of-Mine",
        "modelBucketArn": "arn:aws-cn:s3:::weights",
        "aws": {"region": "cn-northwest-1", "account": "123456789012", "partition": "aws-cn"},
        "APIGW": {"throttle": {"rateLimit": 5}},
        "ingress": {
            "replicas": 2,
            "resources": {"front": 0.5},
            "trustedProxies": ["10.9.8.0/24", "2001:db8::/32"],
        },
        "ingest": {"replicas": 7, "resources": {"fast": 2, "slow": 0.2, "front": 1}},
        "limits": {"streams": {"perKey": 7}, "wrongKeys": {"rateLimit": 0.5}},
        "tasks": {"drainSeconds": 30.5, "maxPayloadBytes": 3_000_000, "notifyRunning": True},
        "vpc": {
            "id": "vpc-0a",
            "cidr": "10.9.0.0/16",
            "moreCidrs": ["100.64.0.0/16", "100.65.0.0/16"],
            "zones": ["a", "b"],
            "privateSubnets": ["subnet-0a", "subnet-0b"],
        },
        "cluster": {
            "bottlerocket": "v1.70.1",
            "volumeKeyArn": "arn:aws-cn:kms:cn-northwest-1:123456789012:key/1b2c",
        },
        "clusterComponents": {"instanceType": "m7i.large"},
        "rayCluster": {
            "headCpu": 1.25,
            "headMemory": 6,
            "ingestCpu": 2.5,
            "ingestMemory": 5,
            "ingestWorkers": 2,
            "redisAddress": "rediss://redis.example.org:6380",
            "readyMinutes": 12,
            "startMinutes": 9,
            "metricsNamespace": "watchers",
            "upgrade": "None",
        },
        "images": {"repository": "registry.example.org/pictures", "tag": "0.2.0"},
        "storage": {"checkpointCache": 0},
        "modelsRuntime": [
            {
                "name": "SD_Runtime",
                "type": "sdwebui",
                "modelFilename": "v1.safetensors",
                "dynamicModel": True,
                "replicas": 3,
                "gpus": 2,
                "resources": {"fast": 2, "slow": 0.2},
                "options": {"url": "http://127.0.0.1:7860"},
                "nodes": {
                    "instanceTypes": ["g5g.16xlarge", "g6.12xlarge"],
                    "capacity": ["on-demand", "spot"],
                    "maxGpus": 11,
                    "idleSeconds": 77,
                    "consolidate": True,
                    "consolidateAfter": "2m",
                    "expireAfter": "Never",
                    "imageCache": "ebs-snapshot",
                    "snapshot": "snap-0a",
                    "osVolume": {"size": 20},
                    "dataVolume": {"size": 300, "iops": 6_000, "throughput": 500},
                    "taints": [
                        {"key": "team", "value": "art", "effect": "NoExecute"},
                        {"key": "x"},
                    ],
                    "requirements": [
                        {"key": "zone", "values": ["a"]},
                        {"key": "gen", "operator": "Exists"},
                    ],
                    "labels": {"team": "art"},
                    "annotations": {"note": "nodes"},
                    "tags": {"stack": "another", "team": "art"},
                    "userData": '[settings.kernel.sysctl]\n"vm.swappiness" = "1"\n',
                },
                "pod": {
                    "image": "registry.example.org/mine:1",
                    "imagePullPolicy": "Always",
                    "cpu": 3,
                    "memory": 7,
                    "env": {"A_B": "1", "C": "two"},
                    "labels": {"team": "art"},
                    "annotations": {"note": "mine"},
                    "existingClaim": "my-weights",
                },
            },
            {
                "name": "comfy",
                "type": "comfyui",
                "scaling": {
                    "schedule": [{"start": "0 8 * * *", "end": "0 9 * * *", "minReplicas": 7}],
                },
                "nodes": {"imageCache": "none", "userData": "[a]\n"},
            },
        ],
    },
    "on CPUs, with names that are too long": {
        **LEAST,
        "stackName": "A-Name",
        "ingest": {"maxReplicas": 3},
        "modelsRuntime": [
            {
                "name": "a-runtime-with-a-name-that-is-far-too-long-for-kubernetes-60",
                "type": "diffusers",
                "gpus": 0,
                "nodes": {
                    "capacity": ["spot"],
                    "instanceTypes": ["c7i.4xlarge", "c7i.8xlarge", "c7i.xlarge"],
                    "imageCache": "none",
                },
            },
            {
                "name": "shared",
                "type": "fake",
                "gpus": 0.3,
                "resources": {"fast": 1.4},
                "scaling": {"minReplicas": 4, "queueLength": 3},
                "nodes": {"userData": "[settings.a]\n"},
            },
            {
                "name": "unlisted",
                "type": "fake",
                "gpus": 2,
                "scaling": {"maxReplicas": 2, "minReplicas": 2},
                "nodes": {"maxGpus": 7, "instanceTypes": ["g9.huge", "g6.12xlarge"]},
            },
            {
                "name": "of-metal",
                "type": "fake",
                "gpus": 0,
                "scaling": {
                    "maxReplicas": 9,
                    "schedule": [{"start": "0 8 * * *", "end": "0 9 * * *", "minReplicas": 8}],
                },
                "nodes": {"instanceTypes": ["c7i.metal", "c7i.metal-24xl"], "imageCache": "none"},
            },
        ],
    },
    "weights in claims alone": {
        "stackName": "atelier",
        "modelsRuntime": [{"name": "one", "type": "fake", "pod": {"existingClaim": "mine"}}],
    },
}


def settings(config: Values) -> Settings:
    folder = {} if "modelBucketArn" in config else {"checkpoints": "/mnt/checkpoints"}
    return Settings.read(None, {**deepcopy(dict(config)), **folder})


def comparable(made: Mapping[str, Any]) -> Mapping[str, Any]:
    """Drop Helm's own labels, and the differences that mean nothing: order, explicit defaults."""
    plain = deepcopy(dict(made))
    for label in ("app.kubernetes.io/managed-by", "helm.sh/chart"):
        plain["metadata"]["labels"].pop(label, None)
    if plain["metadata"].get("annotations") == {"helm.sh/resource-policy": "keep"}:
        del plain["metadata"]["annotations"]  # the stack says it to what applies them
    for container in containers(plain):
        container.get("env", []).sort(key=lambda variable: variable["name"])
    if plain["kind"] == "RayService":
        served = yaml.safe_load(plain["spec"]["serveConfigV2"])
        for application in served["applications"]:
            args = Settings.read(None, application["args"])
            application["args"] = args.model_dump(mode="json", by_alias=True)
        plain["spec"]["serveConfigV2"] = served
    return plain


def containers(part: Any) -> Iterator[dict[str, Any]]:
    match part:
        case dict():
            yield from part.get("containers", ())
            for inner in part.values():
                yield from containers(inner)
        case list():
            for inner in part:
                yield from containers(inner)


def leaves(part: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each value with its path, so that a difference is named."""
    match part:
        case dict() | list() | tuple() if part:
            pairs = part.items() if isinstance(part, dict) else enumerate(part)
            for key, inner in pairs:
                yield from leaves(inner, f"{path}.{key}")
        case _:
            yield path, repr(part)


def told(objects: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    return {
        leaf
        for made in objects
        for leaf in leaves(comparable(made), f"{made['kind']} {made['metadata']['name']}")
    }


@pytest.mark.parametrize("config", CASES.values(), ids=CASES)
def test_the_chart_renders_what_the_stack_applies(config: Values) -> None:
    built = objects(settings(config), instance_profile=PROFILE)
    # The namespace is Helm's own to make.
    wanted = told(made for made in built if made["kind"] != "Namespace")
    found = told(rendered(values(config)).values())

    assert sorted(found - wanted) == sorted(wanted - found) == []
    assert len(found) > 200
