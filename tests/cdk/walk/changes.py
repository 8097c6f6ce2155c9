"""Another valid value for every setting, and an installation that has all of them."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Literal, get_args, get_origin

from models.settings import Settings
from tests.cdk.walk.leaves import Leaf

Given = Mapping[str, Any]

_POLICIES = [
    {"type": "Pods", "value": 4, "periodSeconds": 15},
    {"type": "Percent", "value": 50, "periodSeconds": 60},
]
BASE: Given = {
    "stackName": "Studio",
    "modelBucketArn": "arn:aws:s3:::studio-models",
    "aws": {"region": "us-west-2", "account": "111122223333"},
    "modelsRuntime": [
        {
            "name": "sdruntime",
            "type": "diffusers",
            "scaling": {
                "scaleUp": {"policies": _POLICIES},
                "scaleDown": {"policies": _POLICIES},
                "schedule": [{"start": "0 8 * * 1-5", "end": "0 18 * * 1-5", "minReplicas": 3}],
            },
            "nodes": {
                "taints": [{"key": "team", "value": "art"}],
                "requirements": [{"key": "zone", "values": ["a"]}],
                "osVolume": {"size": 10},
                "dataVolume": {"size": 100},
            },
        }
    ],
    "apiKeys": [
        {"name": "team", "key": "a-key-of-twenty-letters", "secrets": [{"key": "another-key"}]}
    ],
    "front": {
        "enabled": True,
        "domain": "studio.example.com",
        "certificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/front",
        "listenerCertificateArn": "arn:aws:acm:us-west-2:111122223333:certificate/listener",
        "signIn": "oidc",
        "oidc": {
            "issuer": "https://id.example.com",
            "authorizationEndpoint": "https://id.example.com/authorize",
            "tokenEndpoint": "https://id.example.com/token",
            "userInfoEndpoint": "https://id.example.com/me",
            "clientId": "studio",
            "clientSecretArn": "arn:aws:secretsmanager:us-west-2:111122223333:secret:studio",
        },
    },
}
"""Configuration with every part, and one element in each list."""

_SIGNING = "whsec_" + "b" * 32
_DIGEST = "0123456789abcdef" * 4
_RUNTIME = "modelsRuntime[]"
OTHER: Given = {
    "stackName": "Workshop",
    "modelBucketArn": "arn:aws:s3:::workshop-models",
    "clusterComponents.instanceType": "m7i.xlarge",
    "clusterComponents.desiredCount": 19,
    "APIGW.stageName": "live-now",
    "APIGW.throttle.rateLimit": 157,
    "APIGW.throttle.burstLimit": 167,
    "ingress.resources": {"front": 1},
    "ingress.trustedProxies": ["10.9.8.0/24"],
    "ingest.replicas": 3,
    "ingest.minReplicas": 2,
    "ingest.maxReplicas": 3,
    "ingest.resources": {"fast": 1},
    f"{_RUNTIME}.name": "painter",
    f"{_RUNTIME}.namespace": "art",
    f"{_RUNTIME}.type": "comfyui",
    f"{_RUNTIME}.modelFilename": "another.safetensors",
    f"{_RUNTIME}.chartRepository": "oci://registry.example.com/charts",
    f"{_RUNTIME}.chartVersion": "1.2.0",
    f"{_RUNTIME}.extraValues": {"runtime": {"labels": {"team": "art"}}},
    f"{_RUNTIME}.resources": {"fast": 1},
    f"{_RUNTIME}.replicas": 2,
    f"{_RUNTIME}.scaling.minReplicas": 2,
    f"{_RUNTIME}.scaling.maxReplicas": 7,
    f"{_RUNTIME}.scaling.targetLatencySeconds": 77,
    f"{_RUNTIME}.scaling.scaleUp.policies[].type": "Percent",
    f"{_RUNTIME}.scaling.scaleUp.policies[].value": 7,
    f"{_RUNTIME}.scaling.scaleUp.policies[].periodSeconds": 77,
    f"{_RUNTIME}.scaling.scaleDown.policies[].type": "Percent",
    f"{_RUNTIME}.scaling.scaleDown.policies[].value": 7,
    f"{_RUNTIME}.scaling.scaleDown.policies[].periodSeconds": 77,
    f"{_RUNTIME}.scaling.schedule[].start": "0 9 * * 1-5",
    f"{_RUNTIME}.scaling.schedule[].end": "0 17 * * 1-5",
    f"{_RUNTIME}.scaling.schedule[].timezone": "Europe/Berlin",
    f"{_RUNTIME}.scaling.schedule[].minReplicas": 4,
    f"{_RUNTIME}.gpus": 2,
    f"{_RUNTIME}.options": {"maxPixels": 4_711},
    f"{_RUNTIME}.nodes.instanceTypes": ["g6e.xlarge"],
    f"{_RUNTIME}.nodes.capacity": ["on-demand"],
    f"{_RUNTIME}.nodes.maxGpus": 9,
    f"{_RUNTIME}.nodes.consolidateAfter": "77s",
    f"{_RUNTIME}.nodes.expireAfter": "77h",
    f"{_RUNTIME}.nodes.imageCache": "none",
    f"{_RUNTIME}.nodes.snapshot": "snap-0b",
    f"{_RUNTIME}.nodes.osVolume.size": 77,
    f"{_RUNTIME}.nodes.dataVolume.size": 277,
    f"{_RUNTIME}.nodes.taints[].key": "artists",
    f"{_RUNTIME}.nodes.taints[].value": "only",
    f"{_RUNTIME}.nodes.requirements[].key": "generation",
    f"{_RUNTIME}.nodes.requirements[].operator": "NotIn",
    f"{_RUNTIME}.nodes.requirements[].values": ["b"],
    f"{_RUNTIME}.nodes.labels": {"team": "art"},
    f"{_RUNTIME}.nodes.annotations": {"note": "nodes"},
    f"{_RUNTIME}.nodes.tags": {"team": "art"},
    f"{_RUNTIME}.nodes.userData": '[settings.kernel.sysctl]\n"vm.swappiness" = "1"\n',
    f"{_RUNTIME}.pod.image": "registry.example.com/mine:1",
    f"{_RUNTIME}.pod.cpu": 3,
    f"{_RUNTIME}.pod.memory": 7,
    f"{_RUNTIME}.pod.env": {"TEAM": "art"},
    f"{_RUNTIME}.pod.labels": {"team": "art"},
    f"{_RUNTIME}.pod.annotations": {"note": "pods"},
    f"{_RUNTIME}.pod.existingClaim": "weights",
    "apiKeys[].name": "artist",
    "apiKeys[].role": "viewer",
    "apiKeys[].key": "a-key-of-other-letters",
    "apiKeys[].expires": "2047-01-31",
    "apiKeys[].secrets[].key": "a-third-key",
    "apiKeys[].secrets[].sha256": _DIGEST,
    "apiKeys[].secrets[].expires": "2047-01-31",
    "apiKeys[].secrets[].gateway": "a1b2c3",
    "apiKeys[].callbackSecret": _SIGNING,
    "apiKeysFile": "keys-of-mine.yaml",
    "aws.region": "eu-west-1",
    "aws.account": "444455556666",
    "outputBucketName": "pictures-of-mine",
    "checkpoints": "/mnt/weights",
    "logFile": "/var/log/atelier.jsonl",
    "inputs.allowHosts": ["pictures.example.com"],
    "inputs.allowBuckets": ["references-of-mine"],
    "tasks.drainSeconds": 33,
    "tasks.leaseSeconds": 47,
    "tasks.maxReceives": 147,
    "tasks.queueDays": 3,
    "tasks.pollSeconds": 7,
    "callbacks.secret": _SIGNING,
    "callbacks.retrySeconds": [7],
    "vpc.id": "vpc-0a",
    "vpc.cidr": "10.77.0.0/16",
    "vpc.moreCidrs": ["100.64.0.0/16"],
    "vpc.zones": ["a", "b", "d"],
    "vpc.natGateways": 2,
    "vpc.privateSubnets": ["subnet-0d", "subnet-0e", "subnet-0f"],
    "vpc.publicSubnets": ["subnet-1a", "subnet-1b", "subnet-1c"],
    "cluster.version": "1.35",
    "cluster.bottlerocket": "v1.70.7",
    "cluster.admins": ["arn:aws:iam::111122223333:role/keepers"],
    "cluster.publicAccessCidrs": ["203.0.113.0/24"],
    "cluster.chartRepository": "oci://registry.example.com/charts",
    "cluster.imageRegistry": "registry.example.com/mirror",
    "cluster.volumeKeyArn": "arn:aws:kms:us-west-2:111122223333:key/0a1b",
    "rayCluster.namespace": "pictures",
    "rayCluster.redisAddress": "redis.example.com:6379",
    "rayCluster.redisImage": "registry.example.com/valkey:9",
    "rayCluster.readyMinutes": 37,
    "rayCluster.startMinutes": 7,
    "rayCluster.metricsNamespace": "watchers",
    "images.repository": "registry.example.com/atelier",
    "images.tag": "0.7.7",
    "images.keep": 107,
    "storage.modelBucketKeyArn": "arn:aws:kms:us-west-2:111122223333:key/1b2c",
    "storage.outputDays": 377,
    "storage.infrequentDays": 127,
    "edge.memory": 777,
    "edge.timeoutSeconds": 23,
    "edge.concurrency": 137,
    "edge.logDays": 180,
    "front.domain": "workshop.example.com",
    "front.certificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/other-front",
    "front.listenerCertificateArn": "arn:aws:acm:us-west-2:111122223333:certificate/other",
    "front.signIn": "cognito",
    "front.oidc.issuer": "https://who.example.com",
    "front.oidc.authorizationEndpoint": "https://who.example.com/authorize",
    "front.oidc.tokenEndpoint": "https://who.example.com/token",
    "front.oidc.userInfoEndpoint": "https://who.example.com/me",
    "front.oidc.clientId": "client-of-mine",
    "front.oidc.clientSecretArn": "arn:aws:secretsmanager:us-west-2:111122223333:secret:other",
    "alarms.emails": ["keeper@example.com"],
    "alarms.oldestSeconds": 778,
    "alarms.failedRatio": 0.83,
    "alarms.starvedMinutes": 27,
    "alarms.interruptions": 1_007,
}
"""Other values of settings whose type does not tell one."""

_EXISTING = {"vpc.id": "vpc-0b", "vpc.privateSubnets": ["subnet-0a", "subnet-0b", "subnet-0c"]}
_ON_A_VOLUME = {f"{_RUNTIME}.nodes.imageCache": "none"}
BESIDE: Mapping[str, Given] = {
    f"{_RUNTIME}.replicas": {f"{_RUNTIME}.scaling": {}},
    f"{_RUNTIME}.nodes.snapshot": {
        f"{_RUNTIME}.nodes.imageCache": "ebs-snapshot",
        f"{_RUNTIME}.nodes.snapshot": "snap-0a",
    },
    f"{_RUNTIME}.gpus": {f"{_RUNTIME}.nodes.instanceTypes": ["g6.12xlarge"]},
    f"{_RUNTIME}.nodes.dataVolume.size": _ON_A_VOLUME,
    f"{_RUNTIME}.nodes.dataVolume.iops": _ON_A_VOLUME,
    f"{_RUNTIME}.nodes.dataVolume.throughput": _ON_A_VOLUME,
    "apiKeys[].secrets[].sha256": {
        "apiKeys[].secrets[].key": None,
        "apiKeys[].secrets[].sha256": "f" * 64,
    },
    "apiKeys[].secrets[].gateway": {
        "apiKeys[].secrets[].key": None,
        "apiKeys[].secrets[].sha256": "f" * 64,
    },
    "vpc.id": _EXISTING,
    "vpc.privateSubnets": _EXISTING,
    "vpc.publicSubnets": _EXISTING,
    "aws.region": {"front": {}},
    "aws.partition": {"front": {}},
    "front.enabled": {"front": {}},
    "front.signIn": {"front.oidc": None, "front.signIn": "none"},
}
"""Settings that must be set beside another, before and after its change."""


def before(path: str) -> dict[str, Any]:
    """Return a configuration in which a setting can be changed."""
    given = deepcopy(dict(BASE))
    for beside, value in BESIDE.get(path, {}).items():
        put(given, beside, value)
    return given


def after(leaf: Leaf) -> dict[str, Any]:
    """Return that configuration with another value of the setting."""
    given = before(leaf.path)
    put(given, leaf.path, other(leaf))
    return given


def read(given: Given) -> Settings:
    """Read a configuration."""
    return Settings.read(args=given)


def put(given: Any, path: str, value: Any) -> None:
    """Set the value at a path; in a list, of its first element."""
    *groups, name = path.split(".")
    for group in groups:
        key = group.removesuffix("[]")
        given = given.setdefault(key, {}) if key == group else given.setdefault(key, [{}])[0]
    given[name] = deepcopy(value)


def other(leaf: Leaf) -> Any:
    """Find another value: of the table, or by the setting's type."""
    if leaf.path in OTHER:
        return OTHER[leaf.path]
    default, kind = leaf.info.default, leaf.info.annotation
    if isinstance(default, bool):
        return not default
    if get_origin(kind) is Literal:
        return next(each for each in get_args(kind) if each != default)
    if isinstance(default, int | float):
        return default + 1
    raise LookupError(f"{leaf.path}: tests/cdk/walk/changes.py must have another value of it")
