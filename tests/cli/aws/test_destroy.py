"""`atelier aws destroy`: what it waits for, what it deletes, what it finds left."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli.aws.drain import Drain
from cli.aws.erase import erase
from cli.aws.errors import Late
from cli.aws.leftovers import Leftovers
from cli.aws.retained import Kept, retained
from cli.aws.sdk import Aws
from models.settings import Settings
from tests.cli.aws.conftest import Call
from tests.cli.aws.platform import client, file_of, settings_of, unique, write
from tests.cli.aws.programs import Programs

DENIED = "AtelierPaused"


def _send(settings: Settings) -> None:
    url = client("sqs").get_queue_url(QueueName=settings.queue("painter"))["QueueUrl"]
    client("sqs").send_message(QueueUrl=url, MessageBody="a task")


def _policy(settings: Settings) -> str:
    topic = settings.arn("sns", settings.tasks_topic)
    got = client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    return str(got.get("Policy", ""))


def _drain(settings: Settings) -> Drain:
    return Drain(Aws("us-east-1"), settings, lambda _: None, pause=0.01)


def test_it_goes_and_names_what_it_kept(
    installation: Settings, programs: Programs, atelier: Call
) -> None:
    result = atelier("destroy", "-n", installation.stack, "--yes", "--json")
    said = json.loads(result.stdout)

    assert result.exit_code == 0, result.output
    assert said["left"] == []
    assert {"kind": "bucket", "name": installation.output_bucket} in said["kept"]
    assert {"kind": "table", "name": installation.ledger} in said["kept"]
    assert [call[:3] for call in programs.of("cdk")] == [
        ["destroy", f"{installation.stack}Stack", "--force"]
    ]


def test_again_it_only_looks(installation: Settings, programs: Programs, atelier: Call) -> None:
    for _ in range(2):
        assert atelier("destroy", "-n", installation.stack, "--yes", "--now").exit_code == 0

    assert len(programs.of("cdk")) == 1


def test_what_is_left_is_named_with_the_remedy(
    installation: Settings, programs: Programs, atelier: Call
) -> None:
    programs.forgets = installation.unrouted
    client("logs").create_log_group(logGroupName=f"/aws/eks/{installation.stack}/cluster")
    result = atelier("destroy", "-n", installation.stack, "--yes", "--now")

    assert result.exit_code == 1
    assert f"LEFT: queue {installation.unrouted}; aws sqs delete-queue --queue-url" in result.output
    assert "aws logs delete-log-group --log-group-name /aws/eks/" in result.output


def test_tasks_end_first(installation: Settings, programs: Programs, atelier: Call) -> None:
    _send(installation)
    result = atelier("destroy", "-n", installation.stack, "--yes", "--drain-seconds", "0")

    assert result.exit_code == 6
    assert f"{installation.queue('painter')} has 1" in result.output
    assert not programs.of("cdk")
    assert DENIED not in _policy(installation)


def test_or_are_given_up(installation: Settings, programs: Programs, atelier: Call) -> None:
    _send(installation)
    result = atelier("destroy", "-n", installation.stack, "--yes", "--now")

    assert result.exit_code == 0, result.output


def test_no_means_no(installation: Settings, programs: Programs, atelier: Call) -> None:
    result = atelier("destroy", "-n", installation.stack, stdin="n\n")

    assert result.exit_code == 2
    assert not programs.of("cdk")


def test_data_goes_when_the_name_is_typed(
    installation: Settings, programs: Programs, atelier: Call
) -> None:
    s3 = client("s3")
    bucket = installation.output_bucket
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket=bucket, Key="a.png", Body=body)
    s3.delete_object(Bucket=bucket, Key="a.png")
    s3.create_multipart_upload(Bucket=bucket, Key="half")
    given = ("destroy", "-n", installation.stack, "--delete-data", "--now")
    refused = atelier(*given, stdin="y\n")
    there = {each["Name"] for each in s3.list_buckets()["Buckets"]}
    agreed = atelier(*given, stdin=f"{installation.stack}\n")
    after = {each["Name"] for each in s3.list_buckets()["Buckets"]}
    tables = client("dynamodb").list_tables()["TableNames"]

    assert refused.exit_code == 2
    assert bucket in there
    assert agreed.exit_code == 0, agreed.output
    assert bucket not in after
    assert installation.ledger not in tables


def test_a_bucket_that_was_there_before_stays(
    installation: Settings, programs: Programs, atelier: Call
) -> None:
    """`provision` made the model bucket, and not `deploy`: it is not marked."""
    result = atelier("destroy", "-n", installation.stack, "--delete-data", "--yes", "--now")
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
    result = atelier("destroy", "-n", installation.stack, "--yes", "--now")

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
    url = sqs.get_queue_url(QueueName=installation.queue("painter"))["QueueUrl"]
    told: list[str] = []

    def end(text: str) -> None:
        told.append(text)
        sqs.purge_queue(QueueUrl=url)

    Drain(Aws("us-east-1"), installation, end, pause=0.01).wait(5)
    _send(installation)
    with pytest.raises(Late):
        _drain(installation).wait(0)

    assert told == [f"waiting for tasks to end: {installation.queue('painter')} has 1"]


def test_leftovers_in_ec2_are_found_by_their_tags(moto: None) -> None:
    """Karpenter's nodes, of which CloudFormation knows nothing."""
    ec2 = boto3.client("ec2", region_name="us-east-1")
    aws = {"account": "123456789012", "region": "us-east-1"}
    settings = Settings.read(args=file_of("Studio", aws=aws))
    tags = {"instance": "kubernetes.io/cluster/Studio", "volume": "kubernetes.io/cluster/Studio"}
    made = ec2.run_instances(
        ImageId="ami-03cf127a",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[
            {"ResourceType": kind, "Tags": [{"Key": key, "Value": "owned"}]}
            for kind, key in tags.items()
        ],
    )["Instances"][0]
    group = ec2.create_security_group(
        GroupName="a", Description="a", TagSpecifications=_tagged("security-group")
    )["GroupId"]
    interface = ec2.create_network_interface(
        SubnetId=made["SubnetId"], TagSpecifications=_tagged("network-interface")
    )["NetworkInterface"]["NetworkInterfaceId"]
    template = ec2.create_launch_template(
        LaunchTemplateName="karpenter",
        LaunchTemplateData={"ImageId": "ami-03cf127a"},
        TagSpecifications=_tagged("launch-template"),
    )["LaunchTemplate"]["LaunchTemplateId"]
    found = {(one.kind, one.name): one.remedy for one in Leftovers(Aws("us-east-1"), settings)()}
    kinds = [kind for kind, _ in found]

    assert ("instance", made["InstanceId"]) in found
    assert ("security group", group) in found
    assert ("network interface", interface) in found
    assert ("launch template", template) in found
    assert kinds.count("volume") == 1
    assert found["instance", made["InstanceId"]] == (
        f"aws ec2 terminate-instances --instance-ids {made['InstanceId']} --region us-east-1"
    )
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    other = Settings.read(args=file_of("other", aws=aws))
    assert "instance" not in [one.kind for one in Leftovers(Aws("us-east-1"), settings)()]
    assert not Leftovers(Aws("us-east-1"), other)()


def test_a_load_balancer_of_the_cluster_is_found(moto: None) -> None:
    ec2, elb = (boto3.client(name, region_name="us-east-1") for name in ("ec2", "elbv2"))
    aws = {"account": "123456789012", "region": "us-east-1"}
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
    for name, cluster in (("ours", "Studio"), ("theirs", "other")):
        tags = [{"Key": "elbv2.k8s.aws/cluster", "Value": cluster}]
        elb.create_load_balancer(Name=name, Subnets=subnets, Tags=tags)
    settings = Settings.read(args=file_of("Studio", aws=aws))
    (found,) = Leftovers(Aws("us-east-1"), settings).load_balancers()

    assert "/ours/" in found.name


def test_snapshots_are_kept_and_can_be_erased(moto: None) -> None:
    ec2 = boto3.client("ec2", region_name="us-east-1")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    specs = [{"ResourceType": "snapshot", "Tags": [{"Key": "atelier:stack", "Value": "Studio"}]}]
    made = ec2.create_snapshot(VolumeId=volume, TagSpecifications=specs)["SnapshotId"]
    aws = {"account": "123456789012", "region": "us-east-1"}
    settings = Settings.read(args=file_of("Studio", aws=aws))
    there = Aws("us-east-1")
    kept = list(retained(there, settings))
    for one in kept:
        erase(there, one)

    assert kept == [Kept("snapshot", made, of_stack=False)]
    assert not list(retained(there, settings))


def test_a_protected_table_is_erased(signed_in: Any) -> None:
    name = unique()
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        DeletionProtectionEnabled=True,
    )
    erase(Aws("us-east-1"), Kept("table", name))

    assert name not in dynamodb.list_tables()["TableNames"]


def _tagged(kind: str) -> list[dict[str, Any]]:
    return [
        {"ResourceType": kind, "Tags": [{"Key": "karpenter.k8s.aws/cluster", "Value": "Studio"}]}
    ]


def test_a_wrong_file_is_told_before_anything(
    signed_in: Any, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    name = unique()
    write(tmp_path / f"config.{name}.yaml", file_of(name) | {"typo": 1})
    result = atelier("destroy", "-n", name, "--yes")

    assert result.exit_code == 2
    assert "typo: unknown key" in result.output
    assert settings_of(name).stack_name == name
