"""`atelier aws snapshot`: the images on an EBS volume, so that a new node need not pull them.

A temporary instance with Bottlerocket, as the GPU nodes have it, pulls them onto its second volume;
of that a snapshot is made. Whatever happens, the instance and its role go.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from botocore.exceptions import ClientError

from cli.aws.errors import AwsError, Late, code_of
from cli.aws.sdk import Aws
from cli.aws.weights import PROJECT, TAG
from models.images import image_of
from models.settings import Settings

_DISK = "/dev/xvdb"
_ECR = ".dkr.ecr."
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
"""What SSM's agent does, and what pulls images."""
_PULL_SECONDS = 3_600
_PAUSE = 10.0
_SNAPSHOT = {"Delay": 15, "MaxAttempts": 240}
_ENDED = frozenset({"Success", "Cancelled", "TimedOut", "Failed", "Cancelling"})
_NOT_YET = frozenset({"InvalidInstanceId", "InvocationDoesNotExist"})
# The admin container can enter the host; nobody can sign in to it, for no key is given.
_USER_DATA = "[settings.host-containers.admin]\nenabled = true\n"
# SSM's agent is in the control container, which has a shell; the host has none, and runs one
# program for each call.
_HOST = "apiclient exec admin sheltie"
_CTR = f"{_HOST} ctr --address /run/containerd/containerd.sock --namespace k8s.io"
_PROVIDER = "/usr/libexec/kubernetes/kubelet/plugins/ecr-credential-provider"
_BEGIN = f"""\
tries=0
until apiclient exec admin true; do
  tries=$((tries + 1)); [ "$tries" -lt 60 ] || exit 9; sleep 5
done
{_HOST} systemctl stop kubelet || exit 8
old=$({_CTR} images ls -q)
[ -z "$old" ] || {_CTR} images rm $old
"""
# The host gets the registry's password by the instance's own role, with what kubelet asks: it
# stands in no command and in no log.
_PASSWORD = f"""\
got=$(printf %s '{{ask}}' | {_HOST} {_PROVIDER}) || exit 3
password=${{{{got#*'"password":"'}}}}
[ "$password" != "$got" ] || exit 4
set -- --user "AWS:${{{{password%%'"'*}}}}"
"""
_PULL = f"""\
set --
{{sign_in}}{_CTR} images pull --label io.cri-containerd.image=managed "$@" '{{image}}' > /dev/null
"""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is to be in a snapshot, and how it is made."""

    stack: str
    images: Sequence[str]
    ami_parameter: str
    """Of SSM's public ones."""
    arch: str = "x86_64"
    instance_type: str | None = None
    size: int = 100
    """GiB."""
    encrypt: bool = False
    key: str | None = None
    """Of KMS; else the account's own for EBS."""
    role: str | None = None
    """Of the instance; else a temporary one."""
    subnet: str | None = None
    """Else one of the default network."""

    @classmethod
    def of(cls, settings: Settings, arch: str = "x86_64") -> "Recipe":
        """Of the images that the installation's GPU nodes run."""
        nodes = settings.models_runtime[0].nodes
        subnets = settings.vpc.private_subnets
        return cls(
            stack=settings.stack_name,
            images=images_of(settings),
            ami_parameter=ami_parameter(settings, arch),
            arch=arch,
            size=nodes.data_volume.size,
            subnet=subnets[0] if subnets else None,
        )

    @property
    def tags(self) -> list[dict[str, str]]:
        known = {
            "Name": f"{self.stack}-images",
            TAG: self.stack,
            PROJECT: self.stack,
            "atelier:images": " ".join(sorted(self.images))[:256],
            "atelier:arch": self.arch,
        }
        return [{"Key": key, "Value": value} for key, value in known.items()]


def images_of(settings: Settings) -> list[str]:
    """URIs of what runs on GPU nodes."""
    return sorted({image_of(settings, runtime) for runtime in settings.models_runtime})


def ami_parameter(settings: Settings, arch: str) -> str:
    """Of the Bottlerocket that the nodes have; it resolves in every region that has it."""
    cluster = settings.cluster
    version = cluster.bottlerocket.removeprefix("v")
    return f"/aws/service/bottlerocket/aws-k8s-{cluster.version}/{arch}/{version}/image_id"


def snapshot_of(aws: Aws, recipe: Recipe, note: Callable[[str], None]) -> str:
    """Its id; one that was made of the same before is taken again.

    Raises:
        AwsError: an image could not be pulled, or AWS refused; nothing is left of the attempt.
    """
    known = existing(aws, recipe)
    if known:
        note(f"{known} has these images already")
        return known
    with _instance(aws, recipe, note) as instance:
        host = _Host(aws, instance)
        note("waiting for its agent")
        host.run(_BEGIN)
        for image in recipe.images:
            note(f"pulling {image}")
            host.run(pull(image))
        ec2 = aws.client("ec2")
        ec2.stop_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance])
        note("making the snapshot")
        return _snapshot(aws, recipe, _volume(aws, instance))


def existing(aws: Aws, recipe: Recipe) -> str | None:
    """The newest whole snapshot of the same images, big enough and as secret."""
    filters = [{"Name": f"tag:{tag['Key']}", "Values": [tag["Value"]]} for tag in recipe.tags]
    found = aws.all(
        "ec2",
        "describe_snapshots",
        "Snapshots",
        OwnerIds=["self"],
        Filters=[*filters, {"Name": "status", "Values": ["completed"]}],
    )
    fit = [
        one
        for one in found
        if one["VolumeSize"] == recipe.size and one["Encrypted"] is recipe.encrypt
    ]
    newest = max(fit, key=lambda one: one["StartTime"], default=None)
    return str(newest["SnapshotId"]) if newest else None


def pull(image: str) -> str:
    """The script that pulls it; what is in ECR needs somebody to be signed in."""
    ask = {
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "kind": "CredentialProviderRequest",
    }
    sign_in = _PASSWORD.format(ask=json.dumps({**ask, "image": image})) if _ECR in image else ""
    return _PULL.format(sign_in=sign_in, image=image)


def _snapshot(aws: Aws, recipe: Recipe, volume: str) -> str:
    """Of the stopped instance's volume; half of one is removed."""
    ec2 = aws.client("ec2")
    made = ec2.create_snapshot(
        VolumeId=volume,
        Description=f"Images of {recipe.stack}",
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": recipe.tags}],
    )["SnapshotId"]
    try:
        ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[made], WaiterConfig=_SNAPSHOT)
    except BaseException:
        ec2.delete_snapshot(SnapshotId=made)
        raise
    return str(made)


def _volume(aws: Aws, instance: str) -> str:
    got = aws.client("ec2").describe_instances(InstanceIds=[instance])
    disks = got["Reservations"][0]["Instances"][0]["BlockDeviceMappings"]
    (volume,) = (disk["Ebs"]["VolumeId"] for disk in disks if disk["DeviceName"] == _DISK)
    return str(volume)


@contextmanager
def _instance(aws: Aws, recipe: Recipe, note: Callable[[str], None]) -> Iterator[str]:
    """A running one; gone afterwards, with its volumes."""
    ec2 = aws.client("ec2")
    ami = aws.client("ssm").get_parameter(Name=recipe.ami_parameter)["Parameter"]["Value"]
    with _profile(aws, recipe) as profile:
        note(f"starting a temporary instance from {ami}")
        made = _started(aws, recipe, ami, profile)
        try:
            ec2.get_waiter("instance_running").wait(InstanceIds=[made])
            yield made
        finally:
            ec2.terminate_instances(InstanceIds=[made])
            ec2.get_waiter("instance_terminated").wait(InstanceIds=[made])


def _started(aws: Aws, recipe: Recipe, ami: str, profile: str) -> str:
    secret: dict[str, Any] = {"Encrypted": recipe.encrypt}
    secret |= {"KmsKeyId": recipe.key} if recipe.key else {}
    disk = {"VolumeSize": recipe.size, "VolumeType": "gp3", "DeleteOnTermination": True, **secret}
    kinds = ("instance", "volume")
    got = aws.client("ec2").run_instances(
        ImageId=ami,
        InstanceType=recipe.instance_type or _INSTANCES[recipe.arch],
        MinCount=1,
        MaxCount=1,
        UserData=_USER_DATA,
        IamInstanceProfile={"Name": profile},
        BlockDeviceMappings=[{"DeviceName": _DISK, "Ebs": disk}],
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
        TagSpecifications=[{"ResourceType": kind, "Tags": recipe.tags} for kind in kinds],
        **({"SubnetId": recipe.subnet} if recipe.subnet else {}),
    )
    return str(got["Instances"][0]["InstanceId"])


@contextmanager
def _profile(aws: Aws, recipe: Recipe) -> Iterator[str]:
    """An instance profile with the given role, or with one that may pull images and be told to."""
    iam = aws.client("iam")
    name = f"{recipe.stack}-snapshot-{token_hex(3)}"
    with ExitStack() as undo:
        role = recipe.role or _role(aws, name, undo)
        iam.create_instance_profile(InstanceProfileName=name)
        undo.callback(iam.delete_instance_profile, InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
        undo.callback(
            iam.remove_role_from_instance_profile, InstanceProfileName=name, RoleName=role
        )
        time.sleep(_PAUSE)  # EC2 knows a new profile seconds later than IAM
        yield name


def _role(aws: Aws, name: str, undo: ExitStack) -> str:
    iam = aws.client("iam")
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    may = {"Effect": "Allow", "Action": _ACTIONS, "Resource": "*"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))
    undo.callback(iam.delete_role, RoleName=name)
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=_policy(may))
    undo.callback(iam.delete_role_policy, RoleName=name, PolicyName=name)
    return name


def _policy(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True)
class _Host:
    """A Bottlerocket instance, told what to do by SSM."""

    aws: Aws
    instance: str

    def run(self, script: str) -> None:
        """Run it in the container that SSM's agent is in.

        Raises:
            AwsError: it failed.
            Late: it did not end in time, or the agent never came.
        """
        end = time.monotonic() + _PULL_SECONDS
        command = self._sent(script, end)
        while (got := self._state(command))["Status"] not in _ENDED:
            if time.monotonic() > end:
                raise Late(f"{self.instance} did not end in time")
            time.sleep(_PAUSE)
        if got["Status"] != "Success":
            said = (got.get("StandardErrorContent") or got.get("StandardOutputContent") or "")[
                -500:
            ]
            raise AwsError(f"{self.instance}: {got['StatusDetails']}: {said.strip()}")

    def _sent(self, script: str, end: float) -> str:
        """Its id; SSM knows an instance once its agent is up."""
        ssm = self.aws.client("ssm")
        while True:
            try:
                got = ssm.send_command(
                    InstanceIds=[self.instance],
                    DocumentName="AWS-RunShellScript",
                    Parameters={"commands": [script], "executionTimeout": [str(_PULL_SECONDS)]},
                )
            except ClientError as exc:
                if code_of(exc) not in _NOT_YET or time.monotonic() > end:
                    raise
                time.sleep(_PAUSE)
            else:
                return str(got["Command"]["CommandId"])

    def _state(self, command: str) -> Mapping[str, Any]:
        try:
            got: Mapping[str, Any] = self.aws.client("ssm").get_command_invocation(
                CommandId=command, InstanceId=self.instance
            )
        except ClientError as exc:
            if code_of(exc) in _NOT_YET:
                return {"Status": "Pending"}
            raise
        return got
