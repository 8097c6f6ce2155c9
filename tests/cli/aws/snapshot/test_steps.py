"""`atelier aws snapshot`; the temporary instance and all around it are moto's."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import InstanceBackend
from moto.ssm.exceptions import SSMException
from moto.ssm.models import SimpleSystemManagerBackend, ssm_backends

from cli.aws.sdk import Aws
from cli.aws.snapshot import builder as agent, steps as module
from cli.aws.snapshot.builder import pull_script
from cli.aws.snapshot.instance import temporary_instance
from cli.aws.snapshot.recipe import Recipe
from tests.cli.aws.conftest import Call
from tests.cli.aws.platform import file_of, write

REGION = "us-west-2"
AMI = "/aws/service/bottlerocket/aws-k8s-1.36/{}/1.68.0/image_id"
TAG = "atelier:stack"


@pytest.fixture(autouse=True)
def _installation(moto: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write an installation's file, and the AMIs that SSM names, of which moto has others."""
    aws = {"region": REGION, "account": DEFAULT_ACCOUNT_ID}
    runtimes = [{"name": "painter", "type": "comfyui"}]
    write(tmp_path / "config.atelier.yaml", file_of("atelier", aws=aws, modelsRuntime=runtimes))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    ssm = boto3.client("ssm", region_name=REGION)
    ssm.put_parameter(Name="/mine/ami", Value="ami-03cf127a", Type="String")
    known = ssm_backends[DEFAULT_ACCOUNT_ID][REGION]._parameters  # noqa: SLF001 - it has no other way
    for arch in ("x86_64", "arm64"):  # moto refuses a client that puts public parameters
        known[AMI.format(arch)] = known["/mine/ami"]


def ec2() -> Any:
    return boto3.client("ec2", region_name=REGION)


def snapshots() -> list[dict[str, Any]]:
    mine = [{"Name": f"tag:{TAG}", "Values": ["atelier"]}]
    found: list[dict[str, Any]] = ec2().describe_snapshots(OwnerIds=["self"], Filters=mine)[
        "Snapshots"
    ]
    return found


def left() -> list[str]:
    """Return what may cost, or may act, after a snapshot."""
    reservations = ec2().describe_instances()["Reservations"]
    instances = [one for each in reservations for one in each["Instances"]]
    running = [one["InstanceId"] for one in instances if one["State"]["Name"] != "terminated"]
    iam = boto3.client("iam")
    roles = [one["RoleName"] for one in iam.list_roles()["Roles"]]
    return [*running, *roles, *map(str, iam.list_instance_profiles()["InstanceProfiles"])]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the commands that SSM gave to the instance."""
    said: list[str] = []
    send = SimpleSystemManagerBackend.send_command

    def hear(self: Any, **given: Any) -> Any:
        said.extend(given["parameters"]["commands"])
        return send(self, **given)

    monkeypatch.setattr(SimpleSystemManagerBackend, "send_command", hear)
    return said


def test_the_runtimes_images_are_on_it_and_nothing_else_is_left(
    atelier: Call, told: list[str]
) -> None:
    result = atelier("snapshot", "--quiet")
    (made,) = snapshots()
    image = f"{DEFAULT_ACCOUNT_ID}.dkr.ecr.{REGION}.amazonaws.com/atelier/atelier-comfyui:0.1.0"

    assert result.exit_code == 0, result.output
    assert result.output.strip() == made["SnapshotId"]
    assert made["VolumeSize"] == 100
    assert {"Key": "atelier:images", "Value": image} in made["Tags"]
    assert image in told[-1]
    assert not left()


def test_it_is_made_once(atelier: Call) -> None:
    first = atelier("snapshot", "-q").output
    second = atelier("snapshot", "-q").output
    other = atelier("snapshot", "-q", "public.ecr.aws/one:1,public.ecr.aws/two:2").output

    assert first == second != other
    assert len(snapshots()) == 2


def test_the_builders_options_are_taken(atelier: Call, told: list[str]) -> None:
    boto3.client("iam").create_role(RoleName="mine", AssumeRolePolicyDocument="{}")
    key = boto3.client("kms", region_name=REGION).create_key()["KeyMetadata"]["KeyId"]
    given = ("-A", "arm64", "-a", "/mine/ami", "-i", "m7g.large", "-e", "-k", key, "-s", "50")
    result = atelier("snapshot", "-r", REGION, *given, "-R", "mine", "-q", "x/y:1", "z:2")
    (made,) = snapshots()
    (instance,) = ec2().describe_instances()["Reservations"][0]["Instances"]

    assert result.exit_code == 0, result.output
    assert (made["VolumeSize"], made["Encrypted"]) == (50, True)
    assert instance["InstanceType"] == "m7g.large"
    assert sum("images pull" in one for one in told) == 2
    assert left() == ["mine"]


def test_a_failed_pull_leaves_nothing(atelier: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(*_: Any, **__: Any) -> dict[str, str]:
        return {
            "Status": "Failed",
            "StatusDetails": "Failed",
            "StandardErrorContent": "no such image",
        }

    monkeypatch.setattr(SimpleSystemManagerBackend, "get_command_invocation", failed)
    result = atelier("snapshot")

    assert result.exit_code == 1
    assert "no such image" in result.output
    assert not snapshots()
    assert not left()


def test_an_agent_that_never_comes_is_not_waited_for_long(
    atelier: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: Any, **__: Any) -> None:
        raise SSMException("InvalidInstanceId", "Instances not in a valid state")

    monkeypatch.setattr(SimpleSystemManagerBackend, "send_command", nobody)
    monkeypatch.setattr(agent, "_AGENT_SECONDS", 0)
    result = atelier("snapshot")

    assert result.exit_code == 6, result.output
    assert "SSM's agent never came" in result.output
    assert not left()


def test_a_profile_that_ec2_does_not_know_yet_is_asked_for_again(
    atelier: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []
    add = InstanceBackend.run_instances

    def late(self: Any, *args: Any, **given: Any) -> Any:
        tries.append(given)
        if len(tries) < 3:
            raise EC2ClientError("InvalidParameterValue", "Invalid IAM Instance Profile name")
        return add(self, *args, **given)

    monkeypatch.setattr(InstanceBackend, "run_instances", late)

    result = atelier("snapshot")

    assert result.exit_code == 0, result.output
    assert len(tries) == 3


def test_without_a_network_it_is_said_what_to_name(
    atelier: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any, **__: Any) -> None:
        raise EC2ClientError("VPCIdNotSpecified", "No default VPC for this user.")

    monkeypatch.setattr(InstanceBackend, "run_instances", none)
    result = atelier("snapshot")

    assert result.exit_code == 2, result.output
    assert "deploy without -S first" in result.output
    assert "--subnet" in result.output
    assert not left()


def test_it_is_made_in_the_clusters_network(atelier: Call) -> None:
    """The default network may be gone, or have no way out."""
    vpc = ec2().create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2().create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    boto3.client("eks", region_name=REGION).create_cluster(
        name="atelier",
        roleArn=f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/eks",
        resourcesVpcConfig={"subnetIds": [subnet]},
    )
    result = atelier("snapshot")
    (instance,) = ec2().describe_instances()["Reservations"][0]["Instances"]

    assert result.exit_code == 0, result.output
    assert instance["SubnetId"] == subnet


def test_in_china_the_role_is_for_chinas_own_ec2(moto: None) -> None:
    china = "cn-north-1"
    boto3.client("ssm", region_name=china).put_parameter(
        Name="/mine/ami", Value="ami-03cf127a", Type="String"
    )
    recipe = Recipe(stack="atelier", images=[], ami_parameter="/mine/ami")
    with temporary_instance(Aws(china), recipe, lambda _: None):
        (role,) = boto3.client("iam", region_name=china).list_roles()["Roles"]

    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "ec2.amazonaws.com.cn"}


def test_one_that_is_encrypted_though_nobody_asked_is_taken_again(atelier: Call) -> None:
    """Accounts may encrypt all of their volumes."""
    first = atelier("snapshot", "-q", "--encrypt").output
    second = atelier("snapshot", "-q").output

    assert first == second
    assert len(snapshots()) == 1


def test_what_runs_without_a_gpu_is_not_on_it_and_it_fits_every_volume(
    atelier: Call, tmp_path: Path
) -> None:
    aws = {"region": REGION, "account": DEFAULT_ACCOUNT_ID}
    runtimes = [
        {"name": "slow", "type": "fake", "gpus": 0, "nodes": {"dataVolume": {"size": 20}}},
        {"name": "large", "type": "comfyui", "nodes": {"dataVolume": {"size": 200}}},
        {"name": "small", "type": "comfyui", "nodes": {"dataVolume": {"size": 80}}},
    ]
    write(tmp_path / "config.atelier.yaml", file_of("atelier", aws=aws, modelsRuntime=runtimes))
    atelier("snapshot")
    (made,) = snapshots()
    tags = {one["Key"]: one["Value"] for one in made["Tags"]}

    assert made["VolumeSize"] == 80
    assert "atelier-fake" not in tags["atelier:images"]


def test_a_snapshot_that_never_ends_is_removed(
    atelier: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.ec2.models.elastic_block_store import Snapshot  # noqa: PLC0415

    monkeypatch.setattr(module, "_SNAPSHOT", {"Delay": 0, "MaxAttempts": 2})
    monkeypatch.setattr(Snapshot, "get_filter_value", _pending(Snapshot.get_filter_value))
    monkeypatch.setattr(Snapshot, "status", property(lambda _: "pending", lambda *_: None), False)
    result = atelier("snapshot")

    assert result.exit_code == 6
    assert not snapshots()
    assert not left()


def _pending(real: Any) -> Any:
    def value(self: Any, name: str, *rest: Any) -> Any:
        return "pending" if name == "status" else real(self, name, *rest)

    return value


def test_no_registrys_password_is_told_to_the_instance(atelier: Call, told: list[str]) -> None:
    """The instance's own role gets a password there."""
    atelier("snapshot")

    assert "ecr-credential-provider" in told[-1]
    assert not any("get-login-password" in one for one in told)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Machine with stand-ins of Bottlerocket's programs; returns the folder of their calls."""
    password = "pass+word=="
    said = '{"auth":{"*":{"username":"AWS","password":"' + password + '"}}}'
    scripts = {
        "apiclient": 'shift 2; [ "$1" != sheltie ] || shift; exec "$(basename "$1")" "${@:2}"',
        "systemctl": 'echo "$@" >> "$CALLS/systemctl.calls"',
        "ctr": 'echo "$@" >> "$CALLS/ctr.calls"; [ "$7" != -q ] || echo old:1',
        "ecr-credential-provider": f"cat > \"$CALLS/asked\"; echo '{said}'",
    }
    for name, script in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def test_what_the_instance_is_told_does_what_it_should(
    told: list[str], atelier: Call, host: Path
) -> None:
    atelier("snapshot")
    environment = {"PATH": f"{host}:/usr/bin:/bin", "CALLS": str(host)}
    for script in told:
        subprocess.run(["sh", "-c", script], check=True, env=environment)
    listed, removed, pulled = (host / "ctr.calls").read_text().splitlines()

    assert (host / "systemctl.calls").read_text() == "stop kubelet\n"
    assert listed.endswith("images ls -q")
    assert removed.endswith("images rm old:1")
    assert "--user AWS:pass+word==" in pulled
    assert pulled.endswith("/atelier/atelier-comfyui:0.1.0")
    assert json.loads((host / "asked").read_text())["kind"] == "CredentialProviderRequest"


def test_without_a_password_nothing_is_pulled(host: Path) -> None:
    (host / "ecr-credential-provider").write_text("#!/bin/sh\necho '{}'\n")
    environment = {"PATH": f"{host}:/usr/bin:/bin", "CALLS": str(host)}
    script = pull_script("1.dkr.ecr.us-east-1.amazonaws.com/a:1")
    ended = subprocess.run(["sh", "-c", script], check=False, env=environment)

    assert ended.returncode == 4
    assert not (host / "ctr.calls").exists() or "pull" not in (host / "ctr.calls").read_text()


def test_a_public_image_needs_nobody_to_be_signed_in() -> None:
    assert "--user" not in pull_script("public.ecr.aws/one:1")
