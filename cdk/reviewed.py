"""Findings of cdk-nag that were looked at and may stand; each says why."""

import re
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


def reviewed(construct: IConstruct, rule: str, why: str) -> None:
    """Let a finding stand at this construct and below: a rule such as ``SQS3``.

    A rule with findings of its own is named with the one that was looked at, as in
    ``IAM5[Resource::*]``; others of the same rule are still told.
    """
    Validations.of(construct).acknowledge(
        Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=why)
    )


def reviewed_managed(construct: IConstruct, why: str, *policies: str) -> None:
    """Let policies stand that AWS itself keeps: for a service's own use, and no ``FullAccess``."""
    for policy in policies:
        reviewed(construct, f"IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{policy}]", why)


def reviewed_resources(construct: IConstruct, why: str, *resources: str) -> None:
    """Let permissions stand on resources that are not known by name."""
    for resource in resources:
        found = _as_found(Stack.of(construct).resolve(resource))
        reviewed(construct, f"IAM5[Resource::{found}]", why)


def _as_found(resolved: Any) -> str:
    """As cdk-nag writes what CloudFormation puts in: ``<AWS::Partition>``, ``<Function.Arn>``."""
    match resolved:
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{([^}]+)\}", r"<\1>", text)
        case {"Fn::Join": [between, parts]}:
            return str(between).join(_as_found(part) for part in parts)
        case _:
            return str(resolved)
