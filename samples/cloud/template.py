"""Part of a template that needs no cluster."""

import re
from collections.abc import Mapping, Set as AbstractSet
from typing import Any

SERVERLESS = frozenset(
    {
        "ApiGateway",
        "CDK",
        "CloudWatch",
        "DynamoDB",
        "Events",
        "IAM",
        "KMS",
        "Lambda",
        "Logs",
        "S3",
        "SNS",
        "SQS",
    }
)
"""Services whose resources are kept, unless they refer to a resource of another service."""

Template = dict[str, Any]
Resource = dict[str, Any]
Resources = Mapping[str, Resource]

_OWN_ACCOUNT = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": {"Ref": "AWS::AccountId"}},
        }
    ],
}


def serverless(template: Template) -> Template:
    """Drop resources of other services, and those that refer to them.

    A pod's role stays, with what it may do: nobody but the account itself may take it, for the
    cluster that it trusts is not there.
    """
    resources = template["Resources"]
    unmade = {name for name, each in resources.items() if not _is_made(each)}
    kept = {name: _untied(each, unmade) for name, each in resources.items() if name not in unmade}
    # Until none is lost any more: what refers to one that was dropped is dropped in the next turn.
    while lost := {
        name for name, each in kept.items() if _names(each) & resources.keys() - kept.keys()
    }:
        kept = {name: each for name, each in kept.items() if name not in lost}
    gone = resources.keys() - kept.keys()
    outputs = template.get("Outputs", {})
    told = {name: each for name, each in outputs.items() if not _names(each) & gone}
    return {**template, "Resources": kept, "Outputs": told}


def _is_made(resource: Resource) -> bool:
    provider, service, *kind = resource["Type"].split("::")
    match kind:
        case ["LayerVersion"]:  # kubectl's, for the functions that speak to the cluster
            return False
        case ["Alarm"]:  # the emulator has none that compute with several metrics
            return "Metrics" not in resource["Properties"]
        case _:
            return provider == "AWS" and service in SERVERLESS


def _untied(resource: Resource, unmade: AbstractSet[str]) -> Resource:
    """Replace a role's trust where it names what is not made."""
    if resource["Type"] != "AWS::IAM::Role":
        return resource
    properties = resource["Properties"]
    if not _names(properties["AssumeRolePolicyDocument"]) & unmade:
        return resource
    return {**resource, "Properties": {**properties, "AssumeRolePolicyDocument": _OWN_ACCOUNT}}


def _names(node: Any) -> set[str]:
    """List the logical ids that a part of a template refers to."""
    match node:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            return {name}
        case {"Fn::Sub": str(text)} | {"Fn::Sub": [str(text), *_]}:
            # The name alone of `${Name.Attribute}`; `${!text}` is no reference, but text.
            return set(re.findall(r"\$\{([A-Za-z0-9]+)", text))
        case dict():
            depends = node.get("DependsOn", [])
            named = {depends} if isinstance(depends, str) else set(depends)
            return named.union(*map(_names, node.values()))
        case list():
            return set().union(*map(_names, node))
        case _:
            return set()
