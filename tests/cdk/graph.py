"""Readings of a template: resources' names, their dependencies, and what the cluster is given."""

import json
from collections.abc import Iterator, Mapping, Set as AbstractSet
from functools import cache
from typing import Any

from aws_cdk import CfnElement, Stack

from tests.cdk.conftest import Synthesized

CHART = "Custom::AWSCDK-EKS-HelmChart"
MANIFEST = "Custom::AWSCDK-EKS-KubernetesResource"
_POLICIES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")


@cache
def paths(stack: Stack) -> Mapping[str, str]:
    """Map logical ids to construct paths, such as ``Cluster/Eks/Role``."""
    elements = (each for each in stack.node.find_all() if CfnElement.is_cfn_element(each))
    return {
        stack.resolve(each.logical_id): each.node.path.partition("/")[2].removesuffix("/Resource")  # type: ignore[attr-defined]
        for each in elements
    }


def named(stack: Stack, path: str) -> str:
    """Return the logical id of the resource at a construct path."""
    (found,) = (name for name, there in paths(stack).items() if there == path)
    return found


def waits_for(template: Mapping[str, Any], name: str) -> AbstractSet[str]:
    """Return the logical ids of all that a resource depends on, directly or through others."""
    found: set[str] = set()
    open_ = [name]
    while open_:
        resource = template["Resources"][open_.pop()]
        new = {*_needed(resource)} & {*template["Resources"]} - found
        found |= new
        open_ += new
    return found


def charts(whole: Synthesized) -> Mapping[str, tuple[str, dict[str, Any]]]:
    """Return logical ids and properties of charts by release, with `Values` parsed."""
    return {
        resource["Properties"]["Release"]: (
            name,
            resource["Properties"] | {"Values": json.loads(text(resource["Properties"]["Values"]))},
        )
        for name, resource in whole.resources(CHART).items()
        if "Values" in resource["Properties"]
    }


def applied(whole: Synthesized) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each object that the cluster is given, with the logical id of what applies it."""
    for name, resource in whole.resources(MANIFEST).items():
        for each in json.loads(text(resource["Properties"]["Manifest"])):
            yield name, _without_prune(each)


def kind(whole: Synthesized, wanted: str) -> list[tuple[str, dict[str, Any]]]:
    return [(name, each) for name, each in applied(whole) if each["kind"] == wanted]


def actions(template: Mapping[str, Any], role: str) -> AbstractSet[str]:
    """Return all actions of a role, and the names of AWS's managed policies that it has."""
    managed = template["Resources"][role]["Properties"].get("ManagedPolicyArns", [])
    own = (each for one in statements(template, role) for each in listed(one["Action"]))
    return {*_managed(managed), *own}


def statements(template: Mapping[str, Any], role: str) -> Iterator[Mapping[str, Any]]:
    """Yield the statements of a role's own policies."""
    for policy in template["Resources"].values():
        if policy["Type"] in _POLICIES and {"Ref": role} in policy["Properties"]["Roles"]:
            yield from policy["Properties"]["PolicyDocument"]["Statement"]


def listed(value: Any) -> list[Any]:
    """Wrap a single value in a list: CloudFormation takes one for a list of one."""
    return value if isinstance(value, list) else [value]


def _managed(arns: Any) -> Iterator[str]:
    """Yield names of managed policies, however CloudFormation writes them."""
    match arns:
        case str() if ":policy/" in arns:
            yield arns.rpartition("/")[2]
        case dict():
            yield from _managed([*arns.values()])
        case list():
            for each in arns:
                yield from _managed(each)


def _needed(value: Any) -> Iterator[str]:
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case dict():
            for key, inner in value.items():
                yield from listed(inner) if key == "DependsOn" else _needed(inner)
        case list():
            for inner in value:
                yield from _needed(inner)


def text(value: Any) -> str:
    """Return a value as text, with ``<Name>`` and ``<Name.Attribute>`` for its references."""
    match value:
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [between, parts]}:
            return str(between).join(text(part) for part in parts)
        case _:
            return str(value)


def _without_prune(given: dict[str, Any]) -> dict[str, Any]:
    """Drop CDK's label, by which `kubectl` finds what is to be pruned."""
    labels = given["metadata"].get("labels", {})
    kept = {name: of for name, of in labels.items() if not name.startswith("aws.cdk.eks/prune")}
    metadata = {name: of for name, of in given["metadata"].items() if name != "labels"}
    return given | {"metadata": metadata | ({"labels": kept} if kept else {})}
