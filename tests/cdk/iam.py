"""Check of IAM statements against the actions, resource types and condition keys of AWS's services.

IAM takes a statement that can never apply, and says nothing: an action that is misspelt, a bucket
where an object is meant, a condition on a key that the action does not have. cfn-lint brings the
lists, from AWS's Service Authorization Reference; the keys of single actions it leaves out.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cfnlint  # type: ignore[import-untyped]

from tests.cdk import promises
from tests.cdk.graph import listed, text

_ARNS = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:region:account:table/name",
    "AWS::EKS::Cluster": "arn:aws:eks:region:account:cluster/name",
    "AWS::ElasticLoadBalancingV2::TargetGroup": (
        "arn:aws:elasticloadbalancing:region:account:targetgroup/name/id"
    ),
    "AWS::IAM::Role": "arn:aws:iam::account:role/name",
    "AWS::Lambda::Function": "arn:aws:lambda:region:account:function:name",
    "AWS::Logs::LogGroup": "arn:aws:logs:region:account:log-group:name:*",
    "AWS::S3::Bucket": "arn:aws:s3:::name",
    "AWS::SNS::Topic": "arn:aws:sns:region:account:name",
    "AWS::SQS::Queue": "arn:aws:sqs:region:account:name",
}
"""Examples of ARNs by type, to put in where a policy refers to a resource."""
_OF_REQUESTS = {
    "aws:RequestedRegion",
    "aws:SecureTransport",
    "aws:SourceAccount",
    "aws:SourceArn",
}
"""Condition keys of every request, or of every request that a service makes for somebody."""
_OF_ACTIONS = {
    "arc-zonal-shift:GetManagedResource": {"arc-zonal-shift:ResourceIdentifier"},
    "ec2:CreateTags": {"ec2:CreateAction"},
    "iam:PassRole": {"iam:PassedToService"},
    "kms:CreateGrant": {"kms:GrantIsForAWSResource", "kms:ViaService"},
    "kms:Decrypt": {"kms:ViaService"},
    "kms:DescribeKey": {"kms:ViaService"},
    "kms:GenerateDataKeyWithoutPlaintext": {"kms:ViaService"},
    "kms:ReEncryptFrom": {"kms:ViaService"},
    "kms:ReEncryptTo": {"kms:ViaService"},
    "s3:PutObject": {"s3:x-amz-acl"},
}
"""Condition keys of single actions (docs.aws.amazon.com/service-authorization, 2026-11-29)."""
_OPERATORS = re.compile(
    r"(?:ForAllValues:|ForAnyValue:)?"
    r"(?:String(?:Not)?(?:Equals|Like)|Arn(?:Equals|Like)|Bool|Null)(?:IfExists)?"
)
ON_ANYTHING = {
    "arc-zonal-shift:GetManagedResource": "A cluster is none of its kinds; a condition names it.",
}
"""Actions that are allowed on all resources though they could name some, each with the reason."""

Statement = Mapping[str, Any]
Template = Mapping[str, Any]


def mistakes(template: Template) -> list[str]:
    """Find statements that IAM takes and that do not do what they say."""
    return [
        f"{name}: {mistake}"
        for name, resource in template["Resources"].items()
        for statement in promises.statements(resource.get("Properties", {}))
        for mistake in _mistakes(_known_by_name(statement, template), resource["Type"])
    ]


def _mistakes(statement: Statement, of: str) -> Iterator[str]:
    actions = [*_known(statement["Action"])]
    yield from (
        f"{each}: no such action" for each in listed(statement["Action"]) if not {*_known(each)}
    )
    yield from (f"{each}: no such operator" for each in _operators(statement))
    if "Resource" not in statement or of == "AWS::KMS::Key":  # of whom a policy is, is its resource
        return
    resources = listed(statement["Resource"])
    exact = [each for each in actions if each in listed(statement["Action"])]
    yield from _on_nothing(exact, resources)
    yield from _fits_nothing(actions, resources)
    yield from _unknown_keys(statement, actions, resources)


def _on_nothing(actions: Sequence[str], resources: Sequence[str]) -> Iterator[str]:
    """Find actions without a resource of their types, and those allowed on too much."""
    for action in actions:
        kinds = _kinds(action)
        if "*" in resources:
            if kinds and action not in ON_ANYTHING:
                yield f"{action}: on everything, where it knows {kinds}"
        elif not any(_is_of(resource, action, kind) for kind in kinds for resource in resources):
            yield f"{action}: none of {resources} is one of {kinds or ['*']}"


def _fits_nothing(actions: Sequence[str], resources: Sequence[str]) -> Iterator[str]:
    for resource in resources:
        fits = (_is_of(resource, action, kind) for action in actions for kind in _kinds(action))
        if resource != "*" and not any(fits):
            yield f"{resource}: no action of {actions} is for such a one"


def _unknown_keys(
    statement: Statement, actions: Sequence[str], resources: Sequence[str]
) -> Iterator[str]:
    for action in actions:
        known = {*_OF_REQUESTS, *_OF_ACTIONS.get(action, ())}
        for kind in _kinds(action):
            if any(_is_of(resource, action, kind) for resource in resources):
                known |= {*_kind(action, kind).get("ConditionKeys", ())}
        for key in _keys(statement):
            if re.sub(r"(?<=Tag/).+", "${TagKey}", key) not in known:
                yield f"{action}: on these resources there is no condition {key}"


def _is_of(resource: str, action: str, kind: str) -> bool:
    """Tell whether a resource may be of a type; S3's lists do not tell objects from buckets."""
    if action.startswith("s3:") and ("/" in resource) != (kind in {"object", "accesspointobject"}):
        return False
    formats = _kind(action, kind).get("ARNFormats", ())
    patterns = (re.sub(r"\$\{\w+\}", "[^:]*", each) for each in formats)
    return any(re.fullmatch(pattern, resource) for pattern in patterns)


def _known(actions: Any) -> Iterator[str]:
    """Return the actions that exist; ``s3:List*`` stands for all that begin so."""
    for action in listed(actions):
        service, _, name = action.partition(":")
        pattern = name.lower().replace("*", ".*")
        there = _services().get(service, {"Actions": {}})["Actions"]
        found = [each for each in there if re.fullmatch(pattern, each)]
        yield from (
            [action] if "*" not in name and found else (f"{service}:{each}" for each in found)
        )


def _kinds(action: str) -> Sequence[str]:
    name = action.partition(":")[2].lower()
    kinds: Sequence[str] = _service(action)["Actions"][name].get("Resources", [])
    return kinds


def _kind(action: str, kind: str) -> Mapping[str, Sequence[str]]:
    """Return what is listed of a resource type; nothing for a type of another service."""
    found: Mapping[str, Sequence[str]] = _service(action)["Resources"].get(kind, {})
    return found


def _operators(statement: Statement) -> Iterator[str]:
    yield from (each for each in statement.get("Condition", {}) if not _OPERATORS.fullmatch(each))


def _keys(statement: Statement) -> Iterator[str]:
    for tests in statement.get("Condition", {}).values():
        yield from tests


def _known_by_name(statement: Statement, template: Template) -> Statement:
    """Return the statement with example ARNs in place of references."""
    if "Resource" not in statement:
        return statement
    return {
        **statement,
        "Resource": [_arn(each, template) for each in listed(statement["Resource"])],
    }


def _arn(resource: Any, template: Template) -> str:
    return re.sub(r"<([^<>]+)>", lambda found: _put_in(found[1], template), text(resource))


def _put_in(name: str, template: Template) -> str:
    if name == "AWS::Partition":
        return "aws"
    return _ARNS[template["Resources"][name.removesuffix(".Arn")]["Type"]]


def _service(action: str) -> Any:
    return _services()[action.partition(":")[0]]


@cache
def _services() -> Any:
    folder = Path(cfnlint.__file__).parent / "data" / "AdditionalSpecs"
    return json.loads((folder / "Policies.json").read_text())
