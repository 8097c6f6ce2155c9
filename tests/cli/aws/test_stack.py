"""States of a stack."""

import json
from typing import Any

from cli.aws.sdk import Aws
from cli.aws.stack import Stack
from tests.cli.aws.platform import client, unique


def _template(*buckets: str) -> str:
    resources = {
        f"Bucket{number}": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "Properties": {"BucketName": bucket},
        }
        for number, bucket in enumerate(buckets)
    }
    return json.dumps({"Resources": resources})


def _made(name: str, *buckets: str, **given: Any) -> Stack:
    client("cloudformation").create_stack(StackName=name, TemplateBody=_template(*buckets), **given)
    return Stack(Aws("us-east-1"), name)


def test_a_whole_one_is_not_begun(signed_in: Any) -> None:
    name = unique("s")
    stack = _made(name, f"{name}-a")

    assert stack.is_whole
    assert not stack.is_begun


def test_one_that_is_not_there_or_in_review_is_begun(signed_in: Any) -> None:
    name = unique("s")
    before = Stack(Aws("us-east-1"), name)
    assert before.is_begun
    client("cloudformation").create_change_set(
        StackName=name,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=_template(f"{name}-a"),
    )
    stack = Stack(Aws("us-east-1"), name)

    assert stack.status == "REVIEW_IN_PROGRESS"
    assert stack.is_begun


def test_one_that_failed_is_begun(signed_in: Any) -> None:
    name = unique("s")
    client("s3").create_bucket(Bucket=f"{name}-b")
    stack = _made(name, f"{name}-a", f"{name}-b", OnFailure="DO_NOTHING")

    assert stack.status == "CREATE_FAILED"
    assert stack.is_begun


def test_one_that_was_rolled_back_is_begun(signed_in: Any) -> None:
    name = unique("s")
    client("s3").create_bucket(Bucket=f"{name}-b")
    stack = _made(name, f"{name}-a", f"{name}-b")

    assert stack.status == "ROLLBACK_COMPLETE"
    assert stack.is_begun
