"""Checks of the largest and the smallest platform, which hold for whatever is added to them."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from cfnlint import lint  # type: ignore[import-untyped]
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]

from models.settings import Settings
from tests.cdk import promises
from tests.cdk.conftest import Synthesized

_UNHELPFUL = ["W3005", "W3010"]
"""Warnings that do not help: implied dependencies of CDK's own, and zones named by the settings."""

PROMISES = [
    promises.unencrypted,
    promises.without_tls,
    promises.public_buckets,
    promises.lost_with_the_stack,
    promises.too_much_allowed,
    promises.managed_for_all,
]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_no_resource_breaks_a_promise(
    either: Synthesized, promise: Callable[[promises.Template], set[str]]
) -> None:
    assert promise(either.json) == set()


_ANYTHING = {"Effect": "Allow", "Action": ["s3:*"], "Resource": "*"}
_BAD: dict[str, Any] = {
    "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {}, "DeletionPolicy": "Delete"},
    "Queue": {"Type": "AWS::SQS::Queue", "Properties": {}},
    "Topic": {"Type": "AWS::SNS::Topic"},
    "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {}},
    "Role": {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "Policies": [{"PolicyDocument": {"Statement": [_ANYTHING]}}],
            "ManagedPolicyArns": ["arn:aws:iam::aws:policy/AmazonSQSFullAccess"],
        },
    },
}


def test_a_resource_that_breaks_a_promise_is_found(whole: Synthesized) -> None:
    """A resource that breaks it stands beside all others, which keep it."""
    template = copy.deepcopy(whole.json)
    template["Resources"] |= _BAD

    assert [promise(template) for promise in PROMISES] == [
        {"Bucket", "Queue", "Topic", "Table"},
        {"Bucket", "Queue", "Topic", "Table"},
        {"Bucket"},
        {"Bucket", "Table"},
        {"Role"},
        {"AmazonSQSFullAccess"},
    ]


def test_cdk_nag_finds_nothing(either: Synthesized) -> None:
    found = [
        f"{violation['ruleName']} at {construct['constructPath']}"
        for report in either.report["pluginReports"]
        for violation in report["violations"]
        for construct in violation["violatingConstructs"]
    ]

    assert found == []
    assert either.failure is None


def test_what_may_stand_says_why_and_stands_at_one_construct(either: Synthesized) -> None:
    (nag,) = (r for r in either.report["pluginReports"] if r["pluginName"] == "AwsSolutions")
    allowed = {
        (each["ruleName"], each["acknowledgedAt"], each["reason"])
        for each in nag["suppressedViolations"]
    }

    assert allowed
    for rule, where, why in allowed:
        assert len(why.split()) >= 4, f"{rule} at {where}: {why}"
        assert "/" in where, f"{rule} is let stand in the whole stack"


def test_cfn_lint_finds_nothing(either: Synthesized) -> None:
    found = lint(json.dumps(either.json), config=ManualArgs(ignore_checks=_UNHELPFUL))

    assert [f"{match.rule.id} {match.message} at {match.path}" for match in found] == []


def test_no_arn_names_the_partition_of_the_rest_of_the_world(china: Synthesized) -> None:
    assert "arn:aws:" not in json.dumps(china.json)


def test_no_key_of_a_client_is_in_what_is_deployed(whole: Synthesized, settings: Settings) -> None:
    keys = [key.key.get_secret_value().encode() for key in settings.api_keys if key.key]
    written = [path for path in whole.folder.rglob("*") if path.is_file()]

    assert keys
    for path in written:
        assert not any(key in path.read_bytes() for key in keys), path.name
