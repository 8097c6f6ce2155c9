"""`atelier aws destroy`: what it waits for, what it deletes, and the leftovers it reports."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cli.aws.destroy.drain import Drain
from cli.aws.sdk import Aws, NotInTime
from models.settings import Settings
from tests.cli.aws.conftest import Call
from tests.cli.aws.platform import (
    client,
    file_of,
    made,
    make_stack,
    settings_of,
    unique,
    write,
)
from tests.cli.aws.stand_in_programs import Programs

DENIED = "AtelierPaused"
FUNCTION = {
    "FunctionName": "of-cdk",
    "Code": {"ZipFile": "def handler(event, context): pass"},
    "Handler": "index.handler",
    "Runtime": "python3.11",
    "Role": "arn:aws:iam::000000000000:role/of-cdk",
}


def _with(folder: Path, kind: str, properties: Mapping[str, Any]) -> Settings:
    """Add a resource to an installation's stack."""
    settings = settings_of(unique())
    write(folder / f"config.{settings.names.stack}.yaml", file_of(settings.names.stack))
    made(settings)
    tags = [{"Key": "Project", "Value": settings.names.stack}]
    make_stack(settings, more={"More": {"Type": kind, "Properties": {**properties, "Tags": tags}}})
    return settings


def _send(settings: Settings) -> None:
    url = client("sqs").get_queue_url(QueueName=settings.names.queue("painter"))["QueueUrl"]
    client("sqs").send_message(QueueUrl=url, MessageBody="a task")


def _policy(settings: Settings) -> str:
    topic = settings.names.arn("sns", settings.names.tasks_topic)
    got = client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    return str(got.get("Policy", ""))


def _drain(settings: Settings) -> Drain:
    return Drain(Aws("us-east-1"), settings, lambda _: None, pause=0.01)


def test_it_goes_and_names_what_it_kept(
    installation: Settings, programs: Programs, atelier: Call
) -> None:
    result = atelier("destroy", "-n", installation.names.stack, "--yes", "--json")
    said = json.loads(result.stdout)

    assert result.exit_code == 0, result.output
    assert said["left"] == []
    assert {"kind": "bucket", "name": installation.names.output_bucket} in said["kept"]
    assert {"kind": "table", "name": installation.names.ledger} in said["kept"]
    assert [call[:3] for call in programs.of("cdk")] == [
        ["destroy", f"{installation.names.stack}Stack", "--force"]
    ]


def test_again_it_only_looks(installation: Settings, programs: Programs, atelier: Call) -> None:
    for _ in range(2):
        assert atelier("destroy", "-n", installation.names.stack, "--yes", "--now").exit_code == 0

    assert len(programs.of("cdk")) == 1


def test_what_is_left_is_named_with_the_remedy(
    installation: Settings, programs: Programs, atelier: Call
) -> None:
    programs.forgets = installation.names.unrouted
    result = atelier("destroy", "-n", installation.names.stack, "--yes", "--now")

    assert result.exit_code == 1
    assert (
        f"LEFT: queue {installation.names.unrouted}; aws sqs delete-queue --queue-url"
        in result.output
    )


def test_log_groups_that_were_made_anew_go(
    signed_in: Any, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    """EKS makes its own once more, and Lambda one for each function that has none in the stack."""
    settings = _with(tmp_path, "AWS::Lambda::Function", FUNCTION)
    logs, stack = client("logs"), settings.names.stack
    gone = [f"/aws/eks/{stack}/cluster", f"/aws/lambda/{stack}-edge", "/aws/lambda/of-cdk"]
    other = f"/aws/lambda/{stack}-edge-edge"
    for name in (*gone, other):
        logs.create_log_group(logGroupName=name)
    result = atelier("destroy", "-n", stack, "--yes", "--now")
    left = {one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]}

    assert result.exit_code == 0, result.output
    assert not left & set(gone)
    assert other in left


def test_log_groups_that_may_be_another_stacks_are_named_and_stay(
    installation: Settings, programs: Programs, atelier: Call
) -> None:
    """The group may belong to a stack whose name begins with ours."""
    logs, theirs = client("logs"), f"/aws/lambda/{installation.names.stack}Stack-dev-handler"
    logs.create_log_group(logGroupName=theirs)
    result = atelier("destroy", "-n", installation.names.stack, "--yes", "--now")

    assert f"LEFT: log group {theirs}; aws logs delete-log-group" in result.output
    assert theirs in [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]]
    logs.delete_log_group(logGroupName=theirs)


def test_half_a_deletion_tells_what_is_in_the_way(
    signed_in: Any, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    """The topic is gone already; CloudFront's group keeps the network, and carries no tag."""
    settings = _with(tmp_path, "AWS::EC2::VPC", {"CidrBlock": "10.3.0.0/16"})
    ec2, group = client("ec2"), "CloudFront-VPCOrigins-Service-SG"
    own = [{"Name": "tag:Project", "Values": [settings.stack_name]}]
    (vpc,) = ec2.describe_vpcs(Filters=own)["Vpcs"]
    wall = ec2.create_security_group(GroupName=group, Description="a", VpcId=vpc["VpcId"])
    result = atelier("destroy", "-n", settings.names.stack, "--yes", "--now")
    remedy = f"aws ec2 delete-security-group --group-id {wall['GroupId']} --region us-east-1"

    assert result.exit_code == 1
    assert f"LEFT: security group {wall['GroupId']}; {remedy}" in result.output
    assert "`cdk destroy` failed" in result.output
    ec2.delete_security_group(GroupId=wall["GroupId"])
    again = atelier("destroy", "-n", settings.names.stack, "--yes")
    assert again.exit_code == 0, again.output


def test_tasks_end_first(installation: Settings, programs: Programs, atelier: Call) -> None:
    _send(installation)
    result = atelier("destroy", "-n", installation.names.stack, "--yes", "--drain-seconds", "0")

    assert result.exit_code == 6
    assert f"{installation.names.queue('painter')} has 1" in result.output
    assert not programs.of("cdk")
    assert DENIED not in _policy(installation)


def test_or_are_given_up(installation: Settings, programs: Programs, atelier: Call) -> None:
    _send(installation)
    result = atelier("destroy", "-n", installation.names.stack, "--yes", "--now")

    assert result.exit_code == 0, result.output


def test_no_means_no(installation: Settings, programs: Programs, atelier: Call) -> None:
    result = atelier("destroy", "-n", installation.names.stack, stdin="n\n")

    assert result.exit_code == 2
    assert not programs.of("cdk")


def test_data_goes_when_the_name_is_typed(
    installation: Settings, programs: Programs, atelier: Call
) -> None:
    s3 = client("s3")
    bucket = installation.names.output_bucket
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket=bucket, Key="a.png", Body=body)
    s3.delete_object(Bucket=bucket, Key="a.png")
    s3.create_multipart_upload(Bucket=bucket, Key="half")
    given = ("destroy", "-n", installation.names.stack, "--delete-data", "--now")
    refused = atelier(*given, stdin="y\n")
    there = {each["Name"] for each in s3.list_buckets()["Buckets"]}
    agreed = atelier(*given, stdin=f"{installation.names.stack}\n")
    after = {each["Name"] for each in s3.list_buckets()["Buckets"]}
    tables = client("dynamodb").list_tables()["TableNames"]

    assert refused.exit_code == 2
    assert bucket in there
    assert agreed.exit_code == 0, agreed.output
    assert bucket not in after
    assert installation.names.ledger not in tables


def test_a_bucket_that_was_there_before_stays(
    installation: Settings, programs: Programs, atelier: Call
) -> None:
    """`provision` made the model bucket, and not `deploy`: it is not marked."""
    result = atelier("destroy", "-n", installation.names.stack, "--delete-data", "--yes", "--now")
    there = {each["Name"] for each in client("s3").list_buckets()["Buckets"]}

    assert result.exit_code == 0, result.output
    assert installation.model_bucket in there
    assert f"kept: bucket {installation.model_bucket}" in result.output


def test_a_bucket_that_deploy_made_goes(signed_in: Any, programs: Programs, atelier: Call) -> None:
    name = unique()
    given = ("-R", "us-east-1", "-t", "fake", "--yes", "--skip-proof")
    deployed = atelier("deploy", "-n", name, *given)
    result = atelier("destroy", "-n", name, "--delete-data", "--yes", "--now", "--json")
    buckets = [each["Name"] for each in client("s3").list_buckets()["Buckets"]]
    repositories = client("ecr").describe_repositories()["repositories"]

    assert deployed.exit_code == result.exit_code == 0, result.output
    assert json.loads(result.stdout)["kept"] == []
    assert not [each for each in buckets if each.startswith(name)]
    assert not [each for each in repositories if each["repositoryName"].startswith(name)]


def test_a_pause_lets_nobody_publish_and_keeps_what_was_allowed(installation: Settings) -> None:
    before = json.loads(_policy(installation) or "{}").get("Statement", [])
    with _drain(installation).paused():
        paused = json.loads(_policy(installation))["Statement"]

    assert [one for one in paused if one.get("Sid") != DENIED] == before
    (denied,) = (one for one in paused if one.get("Sid") == DENIED)
    assert (denied["Effect"], denied["Principal"]) == ("Deny", "*")


def test_a_pause_ends_where_the_deletion_fails(
    installation: Settings, programs: Programs, atelier: Call
) -> None:
    programs.fails = "cdk destroy"
    result = atelier("destroy", "-n", installation.names.stack, "--yes", "--now")

    assert result.exit_code == 1
    assert DENIED not in _policy(installation)


def test_pausing_twice_denies_once(installation: Settings) -> None:
    """A run that was killed left its mark."""
    with _drain(installation).paused():
        pass
    with _drain(installation).paused():
        again = _policy(installation)

    assert again.count(DENIED) == 1


def test_draining_waits_for_the_last_message(installation: Settings) -> None:
    _send(installation)
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=installation.names.queue("painter"))["QueueUrl"]
    told: list[str] = []

    def end(text: str) -> None:
        told.append(text)
        sqs.purge_queue(QueueUrl=url)

    Drain(Aws("us-east-1"), installation, end, pause=0.01).wait(5)
    _send(installation)
    with pytest.raises(NotInTime):
        _drain(installation).wait(0)

    assert told == [f"waiting for tasks to end: {installation.names.queue('painter')} has 1"]


def test_what_cannot_be_erased_keeps_nothing_else(
    installation: Settings, programs: Programs, atelier: Call
) -> None:
    s3, bucket = client("s3"), installation.names.output_bucket
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    )
    s3.put_object(Bucket=bucket, Key="a.png", Body=b"1")
    s3.put_object_legal_hold(Bucket=bucket, Key="a.png", LegalHold={"Status": "ON"})
    result = atelier("destroy", "-n", installation.names.stack, "--delete-data", "--yes", "--now")

    assert result.exit_code == 1
    assert f"{bucket} stays: s3://{bucket}/a.png cannot be deleted" in result.output
    assert f"LEFT: bucket {bucket}; run destroy --delete-data again" in result.output
    assert installation.names.ledger not in client("dynamodb").list_tables()["TableNames"]


def test_a_wrong_file_is_told_before_anything(
    signed_in: Any, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    name = unique()
    write(tmp_path / f"config.{name}.yaml", file_of(name) | {"typo": 1})
    result = atelier("destroy", "-n", name, "--yes")

    assert result.exit_code == 2
    assert "typo: unknown key" in result.output
    assert settings_of(name).stack_name == name
