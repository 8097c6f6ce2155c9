"""Statements of the template can all apply: IAM itself takes one that never does."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.cdk import iam
from tests.cdk.conftest import Synthesized

QUEUE = "arn:aws:sqs:us-west-2:111122223333:tasks"
BUCKET = "arn:aws:s3:::weights"
INSTANCES = "arn:aws:ec2:us-west-2:*:instance/*"


def test_each_statement_does_what_it_says(either: Synthesized) -> None:
    assert iam.mistakes(either.json) == []


def test_what_is_allowed_on_everything_says_why() -> None:
    assert all(len(why.split()) >= 4 for why in iam.ON_ANYTHING.values())


@pytest.mark.parametrize(
    ("action", "resource", "condition", "mistake"),
    [
        ("sqs:SendMessages", QUEUE, {}, "no such action"),
        ("sqs:Recieve*", QUEUE, {}, "no such action"),
        ("sqs:SendMessage", "*", {}, "on everything, where it knows ['queue']"),
        ("sqs:SendMessage", BUCKET, {}, "none of"),
        ("s3:GetObject", BUCKET, {}, "none of"),
        ("s3:ListBucket", f"{BUCKET}/*", {}, "none of"),
        ("pricing:GetProducts", QUEUE, {}, "none of"),
        ("sqs:SendMessage", QUEUE, {"StringEqual": {"aws:SourceArn": "x"}}, "no such operator"),
        ("sqs:SendMessage", QUEUE, {"StringEquals": {"sqs:Queue": "x"}}, "no condition sqs:Queue"),
        (
            "ec2:TerminateInstances",
            INSTANCES,
            {"StringEquals": {"ec2:CreateAction": "RunInstances"}},
            "no condition ec2:CreateAction",
        ),
        (
            "iam:PassRole",
            "arn:aws:iam::111122223333:role/nodes",
            {"StringEquals": {"iam:PassedToServices": "ec2.amazonaws.com"}},
            "no condition iam:PassedToServices",
        ),
    ],
)
def test_a_statement_that_never_applies_is_found(
    action: str, resource: str, condition: Mapping[str, Any], mistake: str
) -> None:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition}
    policy = {
        "Type": "AWS::IAM::Policy",
        "Properties": {"PolicyDocument": {"Statement": [statement]}},
    }

    (found, *_) = iam.mistakes({"Resources": {"Policy": policy}})
    assert mistake in found
