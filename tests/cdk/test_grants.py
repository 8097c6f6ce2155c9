"""Grants of each component: it may call what its code calls, and no more."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template
from aws_cdk.aws_iam import Role, ServicePrincipal

from cdk.messaging import Messaging
from cdk.storage import Storage
from models.settings import Settings
from tests.cdk.conftest import FULL

AWS = Path(__file__).resolve().parents[2] / "ingest" / "aws"
_CALL = re.compile(
    r"\b(s3|sqs|sns|dynamodb)\.(?:(?:get_paginator|call)\(\s*\"(\w+)\"|([a-z]\w+)\()"
)
_NAMED_OTHERWISE = {
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:Put": "s3:PutObject",
    "s3:GeneratePresignedUrl": "s3:GetObject",  # what the link does
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}
"""IAM actions of API calls that are named differently."""

_OF_PEOPLE = {"provision.py", "weights.py", "multipart.py"}
"""Modules that call as a person: to make what here the template makes, and to send weights."""

MESSAGING = (
    "grant_task_publishing",
    "grant_notification_publishing",
    "grant_backlog_reads",
    "grant_dead_letter_work",
    "grant_message_consumption",
)
STORAGE = (
    "grant_ledger_access",
    "grant_payload_writes",
    "grant_artifact_reads",
    "grant_payload_reads_and_report_writes",
    "grant_input_reads_and_artifact_writes",
    "grant_checkpoint_reads",
)


@pytest.fixture(scope="module")
def granted(settings: Settings) -> Mapping[str, Mapping[str, set[str]]]:
    """Resources by action, by grant: ``storage.grant_artifact_reads`` and the like."""
    return grants(settings)


def grants(settings: Settings) -> Mapping[str, Mapping[str, set[str]]]:
    stack = Stack(App(), "Alone")
    parts = {
        "messaging": (Messaging(stack, "Messaging", settings=settings), MESSAGING),
        "storage": (Storage(stack, "Storage", settings=settings), STORAGE),
    }
    roles = {}
    for noun, (part, verbs) in parts.items():
        for verb in verbs:
            role = Role(
                stack, f"{noun}-{verb}", assumed_by=ServicePrincipal("lambda.amazonaws.com")
            )
            getattr(part, verb)(role)
            roles[f"{noun}.{verb}"] = stack.get_logical_id(role.node.default_child)  # type: ignore[arg-type] # it is
    template = Template.from_stack(stack)
    names = _names(template)
    policies = template.find_resources("AWS::IAM::Policy").values()
    return {
        grant: _allowed([p for p in policies if p["Properties"]["Roles"] == [{"Ref": role}]], names)
        for grant, role in roles.items()
    }


def test_everything_that_is_called_is_allowed_and_nothing_else(
    granted: Mapping[str, Mapping[str, set[str]]],
) -> None:
    called = {
        f"{service}:{operation}"
        for path in AWS.glob("*.py")
        if path.name not in _OF_PEOPLE
        for service, named, plain in _CALL.findall(path.read_text())
        for operation in ["".join(w[0].upper() + w[1:] for w in (named or plain).split("_"))]
    }
    allowed = {action for actions in granted.values() for action in actions}

    assert len(called) > 10
    assert {_NAMED_OTHERWISE.get(each, each) for each in called} == allowed


def test_messages_are_received_by_who_works_and_sent_by_who_may(
    granted: Mapping[str, Mapping[str, set[str]]],
) -> None:
    runtimes = {"studio-sdruntime", "studio-comfy"}
    dead = {f"{queue}-dead-letters" for queue in runtimes | {"studio-results-callbacks"}}
    worked = runtimes | {"studio-results-callbacks"}

    assert granted["messaging.grant_task_publishing"] == {"sns:Publish": {"studio-tasks"}}
    assert granted["messaging.grant_notification_publishing"] == {
        "sns:Publish": {"studio-results"},
        "sqs:GetQueueUrl": {"studio-results-callbacks"},
        "sqs:SendMessage": {"studio-results-callbacks"},
    }
    assert granted["messaging.grant_backlog_reads"] == {
        "sqs:GetQueueUrl": runtimes,
        "sqs:GetQueueAttributes": runtimes,
    }
    looked_at = dead | {"studio-tasks-unrouted", "studio-tasks-undelivered"}
    assert granted["messaging.grant_dead_letter_work"] == {
        "sqs:ReceiveMessage": looked_at,
        "sqs:ChangeMessageVisibility": looked_at,
        "sqs:DeleteMessage": looked_at,
        "sqs:GetQueueAttributes": looked_at,
        "sqs:SendMessage": worked,
        "sqs:GetQueueUrl": looked_at | worked,
    }
    assert granted["messaging.grant_message_consumption"] == {
        "sqs:ReceiveMessage": worked,
        "sqs:ChangeMessageVisibility": worked,
        "sqs:DeleteMessage": worked,
        "sqs:SendMessage": dead,
        "sqs:GetQueueUrl": worked | dead,
    }


def test_the_ledger_is_kept_by_rows_and_read_by_its_indexes(
    granted: Mapping[str, Mapping[str, set[str]]],
) -> None:
    table = "studio-ledger"
    indexes = {f"{table}/index/by-runtime-and-status", f"{table}/index/by-key"}
    rows = ("GetItem", "PutItem", "UpdateItem", "DeleteItem")

    assert granted["storage.grant_ledger_access"] == {
        **{f"dynamodb:{row}": {table} for row in rows},
        "dynamodb:Query": {table, *indexes},
    }


def test_a_bucket_is_read_and_written_where_it_must_be(
    granted: Mapping[str, Mapping[str, set[str]]], settings: Settings
) -> None:
    outputs = settings.names.output_bucket

    assert granted["storage.grant_payload_writes"] == {
        "s3:PutObject": {f"{outputs}/payloads/*"},
        "s3:DeleteObject": {f"{outputs}/payloads/*"},
    }
    assert granted["storage.grant_artifact_reads"] == {
        "s3:GetObject": {f"{outputs}/*"},
        "s3:ListBucket": {outputs, "studio-models"},
    }
    assert granted["storage.grant_payload_reads_and_report_writes"] == {
        "s3:GetObject": {f"{outputs}/payloads/*"},
        "s3:PutObject": {f"{outputs}/*"},
        "s3:DeleteObject": {f"{outputs}/*"},
        "s3:ListBucket": {outputs},
    }
    readable = {outputs, "studio-models", "studio-references"}
    assert granted["storage.grant_input_reads_and_artifact_writes"] == {
        "s3:PutObject": {f"{outputs}/*"},
        "s3:GetObject": {f"{bucket}/*" for bucket in readable},
        "s3:ListBucket": readable,
    }
    assert granted["storage.grant_checkpoint_reads"] == {
        "s3:GetObject": {"studio-models/*"},
        "s3:ListBucket": {"studio-models"},
    }


def test_weights_that_are_encrypted_with_a_key_of_yours_are_decrypted_by_who_reads_them() -> None:
    key = "arn:aws:kms:us-west-2:111122223333:key/1b2c"
    found = grants(Settings.read(args={**FULL, "storage": {"modelBucketKeyArn": key}}))

    assert {grant for grant, allowed in found.items() if "kms:Decrypt" in allowed} == {
        "storage.grant_input_reads_and_artifact_writes",
        "storage.grant_checkpoint_reads",
    }
    assert found["storage.grant_input_reads_and_artifact_writes"]["kms:Decrypt"] == {key}


def test_without_a_model_bucket_none_is_read() -> None:
    args = {key: value for key, value in FULL.items() if key not in {"modelBucketArn", "storage"}}
    found = grants(Settings.read(args={**args, "checkpoints": "models"}))

    assert found["storage.grant_checkpoint_reads"] == {}
    assert found["storage.grant_artifact_reads"]["s3:ListBucket"] == {
        Settings.read(args=FULL).names.output_bucket
    }


def _names(template: Template) -> dict[str, str]:
    """Return the names of resources on AWS by their logical ids."""
    keys = ("TopicName", "QueueName", "BucketName", "TableName")
    return {
        name: next(r["Properties"][key] for key in keys if key in r["Properties"])
        for name, r in template.to_json()["Resources"].items()
        if any(key in r.get("Properties", {}) for key in keys)
    }


def _allowed(
    policies: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for policy in policies:
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            for action in _list(statement["Action"]):
                found[action] |= {_name(arn, names) for arn in _list(statement["Resource"])}
    return dict(found)


def _name(arn: Any, names: Mapping[str, str]) -> str:
    """Return the resource's own part of an ARN, with references resolved."""
    match arn:
        case {"Ref": name} | {"Fn::GetAtt": [name, "Arn"]}:
            return names.get(name, "")
        case {"Fn::Join": ["", parts]}:
            return "".join(_name(part, names) for part in parts).rpartition(":")[2]
        case str():
            return arn
    raise AssertionError(arn)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
