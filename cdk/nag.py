"""Acknowledgments of cdk-nag findings: each names one finding, and why it is acceptable here."""

import re
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, why: str) -> None:
    """Acknowledge a rule's finding, such as ``SQS3``, on this construct and those below it.

    A rule that reports several findings is named with the one meant, as in ``IAM5[Resource::*]``;
    its other findings still fail the synthesis.
    """
    Validations.of(construct).acknowledge(
        Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=why)
    )


def acknowledge_managed_policies(construct: IConstruct, why: str, *policies: str) -> None:
    """Acknowledge managed policies: those of AWS made for one service's use, no ``FullAccess``."""
    for policy in policies:
        acknowledge(construct, f"IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{policy}]", why)


def acknowledge_resources(construct: IConstruct, why: str, *resources: str) -> None:
    """Acknowledge permissions on resources that a policy cannot name one by one."""
    for resource in resources:
        found = _as_reported(Stack.of(construct).resolve(resource))
        acknowledge(construct, f"IAM5[Resource::{found}]", why)


def _as_reported(resolved: Any) -> str:
    """Write a value as cdk-nag's ids do: references as ``<AWS::Partition>``, ``<Function.Arn>``."""
    match resolved:
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{([^}]+)\}", r"<\1>", text)
        case {"Fn::Join": [between, parts]}:
            return str(between).join(_as_reported(part) for part in parts)
        case _:
            return str(resolved)
