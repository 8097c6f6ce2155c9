"""Runbooks: every command as it stands, on emulators of AWS and of Kubernetes.

A test that needs something to be there first names its section; all others are run by one.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from atelier import Client, Kind, NotFound, Status
from cdk.versions import KUBERAY
from models.settings import Settings
from models.wire import pointer_to
from tests.cli.aws.platform import KEY, client
from tests.cli.aws.runbook.aws_proxy import ADDON_VERSION
from tests.cli.aws.runbook.charts import chart_repository
from tests.cli.aws.runbook.cluster import Cluster
from tests.cli.aws.runbook.operator_shell import OperatorShell, WrongCommand
from tests.cli.aws.runbook.section import ELSEWHERE, Heading, Section, commands, heading_of
from tests.docs.pages import ROOT

Test = Callable[..., None]
PLAYED: list[Heading] = []
"""Sections that have a test of their own."""


def plays(heading: str, page: str = "docs/operations.md") -> Callable[[Test], Test]:
    """Mark a test as the one of a section, all of whose commands it runs."""
    PLAYED.append((page, heading))
    return pytest.mark.parametrize("section", [(page, heading)], ids=[heading], indirect=True)


@pytest.fixture
def line(studio: Settings) -> Iterator[Client]:
    """Client of the installation, with an operator's key."""
    del studio
    with Client(os.environ["ATELIER_URL"], KEY) as line:
        yield line


def publish(settings: Settings, body: Any, runtime: str = "painter") -> None:
    attributes = {"runtime": {"DataType": "String", "StringValue": runtime}}
    client("sns").publish(
        TopicArn=settings.names.arn("sns", settings.names.tasks_topic),
        Message=body if isinstance(body, str) else json.dumps(body),
        MessageAttributes=attributes,
    )


def a_task(name: str) -> dict[str, Any]:
    metadata = {"id": name, "runtime": "painter", "tasktype": "text-to-image"}
    return {"metadata": metadata, "content": {"alwayson_scripts": {}, "prompt": "a red square"}}


def end_of(line: Client, name: str) -> Status:
    """Wait for a task's end."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with suppress(NotFound):
            if (seen := line.get(name).status) not in {Status.QUEUED, Status.RUNNING}:
                return seen
        time.sleep(0.05)
    raise AssertionError(f"{name} has not ended")


def waiting(queue: str) -> int:
    url = client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
    asked = {"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"]}
    return int(
        client("sqs").get_queue_attributes(**asked)["Attributes"]["ApproximateNumberOfMessages"]
    )


def wait_for(queue: str, count: int) -> None:
    end = time.monotonic() + 20
    while waiting(queue) != count:
        assert time.monotonic() < end, f"{queue} has {waiting(queue)} messages, and not {count}"
        time.sleep(0.05)


def dead_letters(line: Client, queue: str) -> dict[str, str]:
    """Return the ids of a queue's dead letters by a word of their reasons or bodies."""
    words = ("payload", "no proper JSON", "metadata.id")
    letters = line.dead_letters(queue).letters
    return {
        word: letter.id
        for letter in letters
        for word in words
        if word in letter.reason + letter.body
    }


@plays("Dead letters")
def test_refused_messages_are_read_mended_and_sent_again(
    section: Section, studio: Settings, line: Client, shell: OperatorShell
) -> None:
    """A message lacks its payload, one its id, another is wrong in itself; ingest refuses all."""
    dead = studio.names.dead_letters("painter")
    payload = f"payloads/{studio.names.stack}.json"
    publish(studio, pointer_to(f"s3://{studio.names.output_bucket}/{payload}"))
    nameless = a_task("mended")
    del nameless["metadata"]["id"]
    publish(studio, nameless)
    publish(studio, "no JSON")
    wait_for(dead, 3)
    listed = section.run("atelier dlq list")

    assert "is missing" in listed
    assert "no proper JSON" in listed
    found = dead_letters(line, "painter")
    shell.words |= {"LETTER": found["payload"], "OTHER": found["metadata.id"]}
    assert found["payload"] in section.run("atelier dlq show RUNTIME LETTER")
    body = json.dumps(a_task("there-now"))
    client("s3").put_object(Bucket=studio.names.output_bucket, Key=payload, Body=body)
    section.run("atelier dlq redrive RUNTIME LETTER")
    assert end_of(line, "there-now") == Status.COMPLETED
    section.run("atelier dlq redrive RUNTIME OTHER")
    assert end_of(line, "mended") == Status.COMPLETED
    assert found["no proper JSON"] in section.run("atelier dlq redrive RUNTIME --all")
    wait_for(dead, 1)
    shell.words["LETTER"] = dead_letters(line, "painter")["no proper JSON"]
    section.run("atelier dlq purge RUNTIME LETTER")
    assert waiting(dead) == 0
    unrouted_messages_are_handed_over(section, studio, line)
    section.run("atelier dlq purge RUNTIME --all")
    assert waiting(dead) == 0
    url = client("sqs").get_queue_url(QueueName=studio.names.callback_calls_dead_letters)
    client("sqs").send_message(QueueUrl=url["QueueUrl"], MessageBody="a call")
    section.run("atelier dlq redrive results-callbacks")
    assert waiting(studio.names.callback_calls) == 1
    section.run("atelier dlq redrive tasks-undelivered")


def unrouted_messages_are_handed_over(section: Section, studio: Settings, line: Client) -> None:
    """Publish what no runtime takes, a large one, and one that is no task; hand all to one."""
    publish(studio, a_task("misspelt"), runtime="paintr")
    large = a_task("large")
    large["content"]["prompt"] = "red " * 50_000
    publish(studio, large, runtime="paintr")
    unrouted = client("sqs").get_queue_url(QueueName=studio.names.unrouted)["QueueUrl"]
    client("sqs").send_message(QueueUrl=unrouted, MessageBody="file:///etc/hostname")
    wait_for(studio.names.unrouted, 3)
    section.run("atelier dlq redrive tasks-unrouted")

    assert end_of(line, "misspelt") == Status.COMPLETED
    assert end_of(line, "large") == Status.COMPLETED
    assert waiting(studio.names.unrouted) == 0
    wait_for(studio.names.dead_letters("painter"), 1)


@plays("The oldest message is too old")
def test_a_task_that_blocks_is_looked_for_and_ended(
    section: Section, studio: Settings, line: Client, shell: OperatorShell
) -> None:
    shell.words["ID"] = line.text_to_image("a red square", runtime="painter").id
    group = f"/aws/containerinsights/{studio.stack_name}/application"
    logs = client("logs")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="pod")
    event = {"timestamp": int(time.time() * 1_000), "message": f'{{"task": "{shell.words["ID"]}"}}'}
    logs.put_log_events(logGroupName=group, logStreamName="pod", logEvents=[event])

    assert "Spec:" in section.run("atelier aws kubectl")
    assert shell.words["ID"] in section.run("atelier aws logs")
    section.run("atelier cancel")


@plays("Many tasks fail")
def test_failed_tasks_are_listed(section: Section, studio: Settings, line: Client) -> None:
    gone = {
        "prompt": "a red square",
        "init_images": [f"s3://{studio.names.output_bucket}/gone.png"],
    }
    name = line.submit(kind=Kind.IMAGE_TO_IMAGE, content=gone, runtime="painter").id
    assert end_of(line, name) == Status.FAILED

    assert name in section.run("atelier list")


@plays("KubeRay gave up")
def test_a_given_up_service_is_made_anew(section: Section, cluster: Cluster) -> None:
    (old,) = (one for one in cluster.objects if one["kind"] == "RayService")
    old["metadata"] |= {"uid": "1", "resourceVersion": "7"}
    old["status"] = {"conditions": [{"type": "Ready", "reason": "InitializingTimeout"}]}
    section.run_all()
    (new,) = (one for one in cluster.objects if one["kind"] == "RayService")

    assert new is not old
    assert new["spec"] == old["spec"]


@plays("KubeRay's CRDs")
def test_definitions_are_pulled_and_applied(
    section: Section, cluster: Cluster, shell: OperatorShell, tmp_path: Path
) -> None:
    (block,) = section.left
    assert KUBERAY.repository in block.text
    with chart_repository(tmp_path / "charts", KUBERAY.name, KUBERAY.version) as url:
        shell.words |= {"X.Y.Z": KUBERAY.version, KUBERAY.repository: url}
        section.run_all()

    assert cluster.named("CustomResourceDefinition") == ["rayservices.ray.io"]


@plays("What a change leaves")
def test_what_a_change_leaves_is_removed(
    section: Section, studio: Settings, cluster: Cluster
) -> None:
    section.run_all()

    assert f"{studio.names.stack}-runtime-painter" not in cluster.named("NodePool")
    assert f"{studio.names.stack}-runtime-painter" not in cluster.named("EC2NodeClass")
    assert not cluster.named("PersistentVolumeClaim")
    assert not cluster.named("PersistentVolume")


@plays("Kubernetes goes up")
def test_addons_follow_the_version(
    section: Section, studio: Settings, shell: OperatorShell
) -> None:
    eks = client("eks")
    there = {"subnetIds": ["subnet-1", "subnet-2"]}
    role = "arn:aws:iam::000000000000:role/cluster"
    eks.create_cluster(name=studio.stack_name, roleArn=role, resourcesVpcConfig=there)
    eks.create_addon(clusterName=studio.stack_name, addonName="kube-proxy")
    shell.words |= {"VERSION": ADDON_VERSION, "1.NN": studio.cluster.version}
    said = section.run_all()

    assert ADDON_VERSION in said
    assert "AddonUpdate" in said


@plays("API keys")
def test_a_key_is_made_listed_and_revoked(
    section: Section, cluster: Cluster, shell: OperatorShell
) -> None:
    made = json.loads(shell.run("atelier keys new ana --aws --json"))
    shell.words["1a2b3c4d"] = made["id"]
    said = section.run("atelier keys")
    section.run("atelier aws kubectl")

    listed = shell.run("atelier keys list --aws").splitlines()
    states = {line.split()[2]: line.split()[4] for line in listed if line.startswith("ana ")}
    assert made["id"] in said
    assert states.pop(made["id"]) == "expired"
    assert [*states.values()] == ["valid"]
    assert not [name for name in cluster.named("Pod") if "ingest" in name]


@plays("It costs too much")
def test_the_second_head_is_moved(section: Section, cluster: Cluster) -> None:
    section.run("atelier cost")
    section.run("atelier aws kubectl -- cordon")

    assert not [name for name in cluster.named("Pod") if "head" in name or "ingest" in name]
    assert [name for name in cluster.named("Pod") if "painter" in name]


@plays("An interrupted command")
def test_what_a_killed_command_left_is_removed(
    section: Section, studio: Settings, shell: OperatorShell
) -> None:
    ec2, iam, sqs = client("ec2"), client("iam"), client("sqs")
    profile, listening = (
        f"{studio.stack_name}-snapshot-1f2e3d",
        f"{studio.names.stack}-inbox-1f2e3d4c",
    )
    shell.words |= {"NAME-snapshot-…": profile, "name-inbox-…": listening}
    sqs.create_queue(QueueName=listening)
    tags = [{"Key": "Name", "Value": f"{studio.stack_name}-images"}]
    specification = {"ResourceType": "instance", "Tags": tags}
    made = ec2.run_instances(
        ImageId="ami-1", MinCount=1, MaxCount=1, TagSpecifications=[specification]
    )
    policy = {"Effect": "Allow", "Action": "ecr:BatchGetImage", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    iam.create_role(RoleName=profile, AssumeRolePolicyDocument=document)
    iam.put_role_policy(RoleName=profile, PolicyName=profile, PolicyDocument=document)
    iam.create_instance_profile(InstanceProfileName=profile)
    iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=profile)

    assert listening in section.run("aws sqs list-queues")
    assert profile in section.run("aws iam list-instance-profiles")
    section.run_all()
    instance = made["Instances"][0]["InstanceId"]
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert found["State"]["Name"] in {"shutting-down", "terminated"}
    assert profile not in [one["RoleName"] for one in iam.list_roles()["Roles"]]
    profiles = iam.list_instance_profiles()["InstanceProfiles"]
    assert profile not in [one["InstanceProfileName"] for one in profiles]
    assert not sqs.list_queues(QueueNamePrefix=listening).get("QueueUrls")


@plays("Old nodes stay")
def test_old_nodes_are_drained(section: Section, studio: Settings, cluster: Cluster) -> None:
    section.run_all()

    pool = f"{studio.names.stack}-runtime-painter"
    assert not [name for name in cluster.named("NodeClaim") if name.startswith(pool)]


@plays("Change and upgrade", page="docs/deploy.md")
def test_the_active_ray_cluster_is_the_one_that_goes(
    section: Section, cluster: Cluster, shell: OperatorShell
) -> None:
    assert section.run_all().startswith(shell.words["RAYCLUSTER"])
    assert cluster.named("RayService")
    assert not cluster.named("RayCluster")


@plays("A key for the nodes' volumes", page="docs/deploy.md")
def test_roles_that_launch_nodes_are_let_use_the_key(
    section: Section, shell: OperatorShell
) -> None:
    key = client("kms").create_key()["KeyMetadata"]
    shell.words["KEY-ARN"] = key["Arn"]
    section.run_all()

    grants = client("kms").list_grants(KeyId=key["KeyId"])["Grants"]
    roles = sorted(grant["GranteePrincipal"].rpartition("/")[2] for grant in grants)
    assert roles == ["AWSServiceRoleForAutoScaling", "AWSServiceRoleForEC2Spot"]
    assert all("CreateGrant" in grant["Operations"] for grant in grants)


@plays("From nothing to a picture", page="docs/deploy.md")
def test_a_log_group_that_is_in_the_way_is_deleted(section: Section, shell: OperatorShell) -> None:
    shell.words["GROUP"] = f"/aws/eks/{shell.words['NAME']}/cluster"
    client("logs").create_log_group(logGroupName=shell.words["GROUP"])
    section.run_all()

    known = {"logGroupNamePrefix": shell.words["GROUP"]}
    assert client("logs").describe_log_groups(**known)["logGroups"] == []


@plays("A front for people", page="docs/deploy.md")
def test_people_are_let_in_by_the_front(section: Section, shell: OperatorShell) -> None:
    origin = {"Id": "here", "DomainName": "here.example.com", "S3OriginConfig": _no_identity()}
    behaviour = {"TargetOriginId": "here", "ViewerProtocolPolicy": "https-only"}
    wanted = {
        "CallerReference": shell.words["NAME"],
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": behaviour,
    }
    front = client("cloudfront").create_distribution(DistributionConfig=wanted)["Distribution"]
    shell.words["ID"] = front["Id"]
    assert front["DomainName"] in section.run("aws cloudfront")
    pool = client("cognito-idp").create_user_pool(PoolName=shell.words["NAME"])["UserPool"]["Id"]
    shell.words["ID"] = pool
    section.run("aws cognito-idp")

    users = client("cognito-idp").list_users(UserPoolId=pool)["Users"]
    assert [user["Username"] for user in users] == ["ana@example.com"]


def _no_identity() -> dict[str, str]:
    return {"OriginAccessIdentity": ""}


REST = sorted({heading_of(block) for block in commands()} - {*PLAYED})


@pytest.mark.parametrize("section", REST, ids=[heading for _, heading in REST], indirect=True)
def test_the_commands_of_a_section_find_what_they_name(section: Section) -> None:
    section.run_all()


def test_a_command_that_is_named_alone_is_run_by_a_test_of_its_own() -> None:
    for command, file in ELSEWHERE.items():
        words = command.split()[2:]
        text = (ROOT / "tests/cli/aws" / file).read_text()
        assert not words or f'atelier("{words[0]}"' in text, command


def test_a_command_that_fails_is_noticed(shell: OperatorShell) -> None:
    for wrong in (
        "aws sqs receive-message --queue-urls x",
        "aws sqs get-queue-url --queue-name name-nobody",
        "atelier aws kubectl -- get rayservicez",
        "atelier aws kubectl -- get rayservice nobody",
        "atelier keys list --awss",
    ):
        with pytest.raises(WrongCommand):
            shell.run(wrong)
