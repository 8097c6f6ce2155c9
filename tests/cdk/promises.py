"""Promises that every resource of a template keeps; each function finds those that break one."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_MANAGED = re.compile(r"policy/(?:[\w-]+/)*([\w-]+)")
Template = Mapping[str, Any]
Resource = Mapping[str, Any]


def of(template: Template, kind: str) -> Iterator[tuple[str, Resource]]:
    """Yield logical ids and properties of a type."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == kind:
            yield name, resource.get("Properties", {})


def unencrypted(template: Template) -> set[str]:
    """Find buckets, queues, topics and tables without encryption."""
    says = {
        "AWS::S3::Bucket": "BucketEncryption",
        "AWS::SQS::Queue": "SqsManagedSseEnabled",
        "AWS::SNS::Topic": "KmsMasterKeyId",
        "AWS::DynamoDB::Table": "SSESpecification",
    }
    return {
        name
        for kind, said in says.items()
        for name, properties in of(template, kind)
        if not properties.get(said)
    }


def without_tls(template: Template) -> set[str]:
    """Find buckets, queues, topics and tables that can be reached without TLS."""
    refused = {*_refusing(template)}
    kinds = ("AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SNS::Topic")
    open_ones = {name for kind in kinds for name, _ in of(template, kind)} - refused
    return open_ones | {
        name
        for name, table in of(template, "AWS::DynamoDB::Table")
        if not _refuses(table.get("ResourcePolicy", {}).get("PolicyDocument", {}))
    }


def public_buckets(template: Template) -> set[str]:
    walls = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    return {
        name
        for name, bucket in of(template, "AWS::S3::Bucket")
        if not all(bucket.get("PublicAccessBlockConfiguration", {}).get(wall) for wall in walls)
    }


def lost_with_the_stack(template: Template) -> set[str]:
    """Find buckets and tables that go with the stack, or with a change that replaces them."""
    return {
        name
        for name, resource in template["Resources"].items()
        if resource["Type"] in {"AWS::S3::Bucket", "AWS::DynamoDB::Table"}
        and {resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")} != {"Retain"}
    }


def too_much_allowed(template: Template) -> set[str]:
    """Find policies that allow all actions, or all of a service; a key's own policy must."""
    return {
        name
        for name, resource in template["Resources"].items()
        if resource["Type"] != "AWS::KMS::Key"
        for statement in statements(resource.get("Properties", {}))
        if statement["Effect"] == "Allow"
        and any(action.split(":")[-1] == "*" for action in _list(statement.get("Action", "*")))
    }


def managed_for_all(template: Template) -> set[str]:
    """Find AWS's managed policies in use that allow a whole service, or everything."""
    used = {
        name
        for resource in template["Resources"].values()
        for name in _MANAGED.findall(str(resource.get("Properties", {}).get("ManagedPolicyArns")))
    }
    return {name for name in used if "FullAccess" in name or "Administrator" in name}


def _refusing(template: Template) -> Iterator[str]:
    for kind, of_what in (
        ("AWS::S3::BucketPolicy", "Bucket"),
        ("AWS::SQS::QueuePolicy", "Queues"),
        ("AWS::SNS::TopicPolicy", "Topics"),
    ):
        for _, policy in of(template, kind):
            if _refuses(policy["PolicyDocument"]):
                yield from (each["Ref"] for each in _list(policy[of_what]))


def _refuses(document: Mapping[str, Any]) -> bool:
    return any(
        statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        and statement["Principal"] in ("*", {"AWS": "*"})
        for statement in document.get("Statement", [])
        if "Condition" in statement
    )


def statements(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the statements of all policies in a template, however deep."""
    match value:
        case {"Effect": _, **_rest}:
            yield value
        case dict():
            for inner in value.values():
                yield from statements(inner)
        case list():
            for inner in value:
                yield from statements(inner)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
