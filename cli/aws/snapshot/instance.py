"""Temporary Bottlerocket instance, and the role that it has meanwhile."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from secrets import token_hex
from typing import Any

from botocore.exceptions import ClientError

from cli.aws.kubernetes.cluster import Cluster
from cli.aws.sdk import Aws, NotDeployed, RequirementMissing, code_of
from cli.aws.snapshot.recipe import Recipe

DISK = "/dev/xvdb"
"""Device name of the second volume, where Bottlerocket keeps images."""
_INSTANCES = {"x86_64": "m5.large", "arm64": "m6g.large"}
_ACTIONS = (
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
    "ec2messages:AcknowledgeMessage",
    "ec2messages:DeleteMessage",
    "ec2messages:FailMessage",
    "ec2messages:GetEndpoint",
    "ec2messages:GetMessages",
    "ec2messages:SendReply",
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
)
"""IAM actions that SSM's agent and the pulling of images need."""
_KNOWN_SECONDS = 120.0  # until EC2 knows a new profile of IAM
_PAUSE = 5.0
_NOWHERE = (
    "no cluster yet, and no default network: deploy without -S first, then with it,"
    " or name a --subnet to `atelier aws snapshot`"
)
# The admin container can enter the host; without an SSH key nobody can sign in to it.
_USER_DATA = "[settings.host-containers.admin]\nenabled = true\n"


@contextmanager
def temporary_instance(aws: Aws, recipe: Recipe, note: Callable[[str], None]) -> Iterator[str]:
    """Start an instance; terminate it with its volumes when the block ends."""
    ec2 = aws.client("ec2")
    ami = aws.client("ssm").get_parameter(Name=recipe.ami_parameter)["Parameter"]["Value"]
    with _profile(aws, recipe) as profile:
        note(f"starting a temporary instance from {ami}")
        instance = _start_with_retries(aws, recipe, ami, profile)
        try:
            ec2.get_waiter("instance_running").wait(InstanceIds=[instance])
            yield instance
        finally:
            ec2.terminate_instances(InstanceIds=[instance])
            ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance])


def _start_with_retries(aws: Aws, recipe: Recipe, ami: str, profile: str) -> str:
    """Start the instance, and retry until EC2 knows its new profile; return its id.

    Raises:
        RequirementMissing: there is no network for it.
    """
    deadline = time.monotonic() + _KNOWN_SECONDS
    while True:
        try:
            return _start(aws, recipe, ami, profile)
        except ClientError as exc:
            if code_of(exc) == "VPCIdNotSpecified":
                raise RequirementMissing(_NOWHERE) from exc
            # IAM spreads slowly. EC2's code says only "invalid"; its text names the profile.
            if "IAM Instance Profile" not in str(exc) or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)


def _start(aws: Aws, recipe: Recipe, ami: str, profile: str) -> str:
    subnet = recipe.subnet or _subnet_of(aws, recipe.stack)
    encryption: dict[str, Any] = {"Encrypted": recipe.encrypt}
    encryption |= {"KmsKeyId": recipe.key} if recipe.key else {}
    disk = {
        "VolumeSize": recipe.size,
        "VolumeType": "gp3",
        "DeleteOnTermination": True,
        **encryption,
    }
    kinds = ("instance", "volume")
    started = aws.client("ec2").run_instances(
        ImageId=ami,
        InstanceType=recipe.instance_type or _INSTANCES[recipe.arch],
        MinCount=1,
        MaxCount=1,
        UserData=_USER_DATA,
        IamInstanceProfile={"Name": profile},
        BlockDeviceMappings=[{"DeviceName": DISK, "Ebs": disk}],
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
        TagSpecifications=[{"ResourceType": kind, "Tags": recipe.tags} for kind in kinds],
        **({"SubnetId": subnet} if subnet else {}),
    )
    return str(started["Instances"][0]["InstanceId"])


def _subnet_of(aws: Aws, cluster: str) -> str | None:
    """Return a subnet of the cluster, from where nodes pull images.

    None before the first deployment.
    """
    try:
        return str(Cluster(aws, cluster).description["resourcesVpcConfig"]["subnetIds"][0])
    except NotDeployed:
        return None


@contextmanager
def _profile(aws: Aws, recipe: Recipe) -> Iterator[str]:
    """Create an instance profile with the given role, or with one for SSM and image pulls."""
    iam = aws.client("iam")
    name = f"{recipe.stack}-snapshot-{token_hex(3)}"
    # Undone in reverse: IAM deletes no profile with a role, and no role with a policy.
    with ExitStack() as undo:
        role = recipe.role or _role(aws, name, undo)
        iam.create_instance_profile(InstanceProfileName=name)
        undo.callback(iam.delete_instance_profile, InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
        undo.callback(
            iam.remove_role_from_instance_profile, InstanceProfileName=name, RoleName=role
        )
        yield name


def _role(aws: Aws, name: str, undo: ExitStack) -> str:
    iam = aws.client("iam")
    suffix = "amazonaws.com.cn" if aws.partition == "aws-cn" else "amazonaws.com"
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": f"ec2.{suffix}"},
        "Action": "sts:AssumeRole",
    }
    permission = {"Effect": "Allow", "Action": _ACTIONS, "Resource": "*"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))
    undo.callback(iam.delete_role, RoleName=name)
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=_policy(permission))
    undo.callback(iam.delete_role_policy, RoleName=name, PolicyName=name)
    return name


def _policy(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
