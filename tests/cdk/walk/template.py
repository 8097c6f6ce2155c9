"""Effects of a changed setting on the stack's template, found by the trace that its value leaves.

A stack takes seconds to synthesize. So most settings are changed in one, each to a value that
nothing else has; and what leaves others no room is seen in the stacks that there are anyway.
"""

import re
from collections.abc import Iterator, Mapping, Sequence, Set as AbstractSet
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import App
from aws_cdk.assertions import Template

from cdk.stack import Platform
from tests.cdk.walk.changes import BASE, other, put, read
from tests.cdk.walk.leaves import Leaf, leaves

Resources = Mapping[str, Any]

_APPLIED = "Custom::AWSCDK-EKS-KubernetesResource"
"""Type of resources that apply Kubernetes objects; the objects are compared as they are."""
_GROUPS = {"cluster", "storage", "edge", "front", "alarms"}
_ALONE = {
    *("modelBucketArn", "clusterComponents.instanceType", "clusterComponents.desiredCount"),
    *("APIGW.stageName", "APIGW.throttle.rateLimit", "APIGW.throttle.burstLimit"),
    *("apiKeys[].name", "outputBucketName", "inputs.allowBuckets"),
    *("tasks.leaseSeconds", "tasks.queueDays", "tasks.maxReceives"),
    *("vpc.cidr", "vpc.zones", "vpc.natGateways", "rayCluster.namespace", "images.keep"),
}
_IN_OTHER_STACKS: Mapping[str, str] = {
    "vpc.id": "vpc-0123456789abcdef0",
    "vpc.privateSubnets": "subnet-0123456789abcdef1",
    "storage.createModelBucket": "StorageCheckpoints",
    "storage.modelBucketKeyArn": "arn:aws-cn:kms:cn-north-1:111122223333:key/1b2c",
    "edge.enabled": "AWS::ApiGateway::RestApi",
    "front.enabled": "AWS::CloudFront::Distribution",
    "front.signIn": "AWS::Cognito::UserPool",
    "front.waf": "AWS::WAFv2::WebACL",
}
"""Traces of settings in which the stacks of `tests.cdk.conftest` differ."""
_TRACES: Mapping[str, str] = {
    "modelBucketArn": ":s3:::workshop-models",
    "apiKeys[].name": "studio-artist",
    "tasks.queueDays": "259200",
    "vpc.zones": "us-west-2d",
    "vpc.natGateways": "NATGateway",
    "edge.setAccountRole": "AWS::ApiGateway::Account",
    "alarms.interruptions": "1006",
    **_IN_OTHER_STACKS,
}
"""Traces of settings, where they are not the value itself."""


@dataclass(frozen=True)
class Templates:
    """Resources of stacks: one that has everything, one that has least, one with other values."""

    whole: Resources
    least: Resources
    changed: Resources

    def effects(self, leaf: Leaf) -> AbstractSet[str]:
        """Tell the types of the resources on which the setting left its trace."""
        if leaf.path not in looked_at():
            return set()
        trace = _trace(_TRACES.get(leaf.path) or _text(other(leaf)))
        pairs = [(self.whole, self.changed), (self.changed, self.whole)]
        if leaf.path in _IN_OTHER_STACKS:
            pairs += [(self.whole, self.least), (self.least, self.whole)]
        return {kind for one, two in pairs for kind in _only_in(trace, one, two)}


def resources(template: Mapping[str, Any]) -> Resources:
    """Take a template's resources, without the Kubernetes objects."""
    found = template["Resources"].items()
    return {name: each for name, each in found if each["Type"] != _APPLIED}


def changed(folder: Path) -> Resources:
    """Synthesize the stack with other values, without cdk-nag's checks and the function's code."""
    given = deepcopy(dict(BASE))
    for leaf in leaves():
        if leaf.path in looked_at() and leaf.path not in _IN_OTHER_STACKS:
            put(given, leaf.path, other(leaf))
    code = folder / "edge.zip"
    code.write_bytes(b"PK\5\6" + bytes(18))  # a zip without a file
    stack = Platform(App(outdir=str(folder)), "Stack", settings=read(given), edge_code=code)
    return resources(Template.from_stack(stack).to_json())


def looked_at() -> Sequence[str]:
    """List the settings that can leave a trace in the template."""
    paths = (leaf.path for leaf in leaves())
    return [path for path in paths if path in _ALONE or path.partition(".")[0] in _GROUPS] + [
        "vpc.id",
        "vpc.privateSubnets",
    ]


def _text(value: Any) -> str:
    return _text(value[0]) if isinstance(value, list) else str(value)


def _trace(text: str) -> re.Pattern[str]:
    """Find a trace as a word of its own; a logical id may go on behind it."""
    end = "" if text in {"StorageCheckpoints", "NATGateway"} else r"(?![\w.-])"
    begin = "" if text == "NATGateway" else r"(?<![\w.-])"
    return re.compile(begin + re.escape(text) + end)


def _only_in(trace: re.Pattern[str], one: Resources, two: Resources) -> Iterator[str]:
    """Yield the resource types of one stack that have a trace, if none of the other has it."""
    for name, resource in one.items():
        there = {name: two[name]} if name in two else {}
        if _has(trace, {name: resource}) and not _has(trace, there):
            yield resource["Type"].removeprefix("AWS::")


def _has(trace: re.Pattern[str], part: Any) -> bool:
    return any(map(trace.search, _texts(part)))


def _texts(part: Any) -> Iterator[str]:
    match part:
        case dict():
            yield from part
            for inner in part.values():
                yield from _texts(inner)
        case list():
            for inner in part:
                yield from _texts(inner)
        case _:
            yield str(part)
