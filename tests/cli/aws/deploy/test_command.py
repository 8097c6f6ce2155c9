"""`atelier aws deploy` on the embedded AWS; `cdk`, `npm` and `docker` are programs of ours."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError
from PIL import Image

from cli.aws.model_bucket import ModelBucket
from cli.aws.sdk import Aws
from cli.aws.snapshot.recipe import Recipe
from cli.aws.tools import NPM
from models.settings import Settings
from tests.cli.aws.conftest import Call
from tests.cli.aws.platform import client, make_stack, settings_of, unique, working
from tests.cli.aws.stand_in_programs import Programs

PAINTER = [{"name": "painter", "type": "fake", "modelFilename": "shapes", "gpus": 0}]
REGION = ("-R", "us-east-1")
FAKE = ("-r", "painter", "-t", "fake")


@pytest.fixture
def name(programs: Programs) -> Iterator[str]:
    """Name of an installation whose worker starts as soon as its stack is made."""
    name = unique("d")
    with working(settings_of(name, modelsRuntime=PAINTER)) as programs.front:
        yield name


def test_from_nothing_to_a_picture_and_again(
    name: str, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    first = atelier("deploy", "-n", name, *REGION, *FAKE, "--yes")
    file = tmp_path / f"config.{name}.yaml"
    written, pushed = file.read_text(), programs.of("docker")
    again = atelier("deploy", "-n", name, "--yes")

    assert first.exit_code == 0, first.output
    assert again.exit_code == 0, again.output
    (picture, _) = tmp_path.glob("proof-*.png")
    Image.open(picture).load()
    assert file.read_text() == written
    assert "0 files" not in again.output
    assert [call[0] for call in pushed] == ["login", "buildx", "push", "buildx", "push"]
    assert programs.of("docker") == pushed
    deploys = [call for call in programs.of("cdk") if call[0] == "deploy"]
    assert [call[1] for call in deploys] == [f"{name}Stack"] * 2
    assert all(call[call.index("--app") + 1].endswith('" -m cdk.app') for call in deploys)


def test_the_bucket_is_made_private_marked_and_filled(
    signed_in: Any, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    name = unique("d")
    result = atelier("deploy", "-n", name, *REGION, *FAKE, "--yes", "--skip-proof")
    bucket = Settings.read(tmp_path / f"config.{name}.yaml").model_bucket
    s3 = client("s3")
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    told = s3.get_bucket_notification_configuration(Bucket=bucket)

    assert result.exit_code == 0, result.output
    assert str(bucket).startswith(f"{name}-model-bucket-")
    assert "Stable-diffusion/shapes/model_index.json" in keys
    assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert {"Key": "atelier:stack", "Value": name} in tags
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert "EventBridgeConfiguration" in told


def test_without_api_gateway_the_proof_goes_by_sns(
    name: str, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    programs.front = None
    result = atelier("deploy", "-n", name, *REGION, *FAKE, "--yes")

    assert result.exit_code == 0, result.output
    assert "one picture by SNS" in result.output
    assert list(tmp_path.glob("proof-*.png"))


def test_a_platform_that_makes_no_picture_is_not_called_deployed(
    signed_in: Any, programs: Programs, atelier: Call
) -> None:
    """The stack stands, and nothing works on its queues."""
    result = atelier("deploy", "-n", unique("d"), *REGION, *FAKE, "--yes", "--timeout", "0.2")

    assert result.exit_code == 1
    assert "deployed, but no picture came" in result.output


def test_bounds_that_could_not_be_carried_are_told_with_what_to_do(
    signed_in: Any, programs: Programs, atelier: Call
) -> None:
    """The emulator has no cluster that could answer."""
    result = atelier("deploy", "-n", unique("d"), *REGION, *FAKE, "--yes", "--skip-proof")

    assert result.exit_code == 0, result.output
    assert "a running Ray cluster may not have the file's scaling.maxReplicas" in result.output
    assert "put that right, and run this again" in result.output


def test_after_a_failure_the_next_run_goes_on(
    signed_in: Any, programs: Programs, atelier: Call
) -> None:
    """Resources of an earlier stack, whose names a new one could not create, are imported."""
    name = unique("d")
    programs.fails = "cdk deploy"
    failed = atelier("deploy", "-n", name, *REGION, *FAKE, "--yes", "--skip-proof")
    programs.fails = ""
    result = atelier("deploy", "-n", name, "--yes", "--skip-proof")
    client("cloudformation").delete_stack(StackName=f"{name}Stack")
    again = atelier("deploy", "-n", name, "--yes", "--skip-proof")
    deploys = [call for call in programs.of("cdk") if call[0] == "deploy"]

    assert failed.exit_code == 1
    assert "`cdk deploy` failed with status 1" in failed.output
    assert result.exit_code == again.exit_code == 0, again.output
    for call in deploys:
        assert {"--no-rollback", "--import-existing-resources", "--yes"} < set(call)


def test_a_whole_stack_is_changed_with_a_way_back(
    signed_in: Any, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    name = unique("d")
    atelier("deploy", "-n", name, *REGION, *FAKE, "-d")
    make_stack(Settings.read(tmp_path / f"config.{name}.yaml"))
    first = atelier("deploy", "-n", name, "--yes", "--skip-proof")
    second = atelier("deploy", "-n", name, "--skip-proof", stdin="y\n")
    deploys = [call for call in programs.of("cdk") if call[0] == "deploy"]

    assert first.exit_code == second.exit_code == 0, second.output
    assert not [call for call in deploys if "--no-rollback" in call]
    assert ["--yes" in call for call in deploys] == [True, False]


def test_the_stack_finds_no_policy_on_a_bucket_that_it_takes_in(
    signed_in: Any, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    """CloudFormation puts its own only where there is none."""
    name = unique("d")
    given = ("-n", name, "--yes", "--skip-proof")
    atelier("deploy", *given, *REGION, *FAKE)
    file = tmp_path / f"config.{name}.yaml"
    file.write_text(file.read_text() + "storage: {createModelBucket: true}\n")
    result = atelier("deploy", *given)

    assert result.exit_code == 0, result.output
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        client("s3").get_bucket_policy(Bucket=Settings.read(file).model_bucket)


def test_what_only_bears_a_name_of_ours_is_not_taken_in(
    signed_in: Any, programs: Programs, atelier: Call
) -> None:
    """The images are taken in, and CloudFormation asks for no tag."""
    name = unique("d")
    ecr = client("ecr")
    made = ecr.create_repository(repositoryName=f"{name}/atelier-head")["repository"]
    given = ("-n", name, "--yes", "--skip-proof")
    refused = atelier("deploy", *given, *REGION, *FAKE)
    before = [call[0] for call in programs.of("cdk")]
    ecr.tag_resource(resourceArn=made["repositoryArn"], tags=[{"Key": "Project", "Value": name}])
    agreed = atelier("deploy", *given)

    assert refused.exit_code == 2
    assert f"repository {name}/atelier-head: there, and not of this" in refused.output
    assert "deploy" not in before
    assert agreed.exit_code == 0, agreed.output


def test_settings_that_cannot_be_deployed_make_nothing(
    signed_in: Any, programs: Programs, atelier: Call
) -> None:
    programs.fails = "cdk synth"
    result = atelier("deploy", "-n", unique("d"), *REGION, *FAKE, "--yes", "--skip-proof")

    assert result.exit_code == 1
    assert "`cdk synth` failed" in result.output
    assert [call[:2] for call in programs.calls] == [["cdk", "synth"]]


def test_images_are_there_before_the_stack(
    signed_in: Any, programs: Programs, atelier: Call
) -> None:
    """An image that cannot be built costs nothing."""
    name = unique("d")
    programs.fails = "docker buildx"
    failed = atelier("deploy", "-n", name, *REGION, *FAKE, "--yes", "--skip-proof")
    before = [call[0] for call in programs.of("cdk")]
    programs.fails = ""
    result = atelier("deploy", "-n", name, "--yes", "--skip-proof")
    calls = [" ".join(call[:2]) for call in programs.calls]

    assert failed.exit_code == 1
    assert "deploy" not in before
    assert result.exit_code == 0, result.output
    assert calls.index("docker push") < calls.index("cdk deploy")


def test_a_snapshot_of_them_too(
    signed_in: Any, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    """The snapshot is made although the file names one that is gone."""
    name = unique("d")
    atelier("deploy", "-n", name, *REGION, *FAKE, "-d", "-s", "snap-0a")
    file = tmp_path / f"config.{name}.yaml"
    recipe = Recipe.of(Settings.read(file))
    ec2 = client("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=recipe.size)["VolumeId"]
    specs = [{"ResourceType": "snapshot", "Tags": recipe.tags}]
    snapshot = ec2.create_snapshot(VolumeId=volume, TagSpecifications=specs)["SnapshotId"]
    result = atelier("deploy", "-n", name, "-S", "--yes", "--skip-proof")
    deploys = [call for call in programs.of("cdk") if call[0] == "deploy"]

    assert result.exit_code == 0, result.output
    assert Settings.read(file).models_runtime[0].nodes.snapshot == snapshot
    assert len(deploys) == 1


def test_a_changed_file_is_what_is_deployed(
    signed_in: Any, programs: Programs, atelier: Call
) -> None:
    name = unique("d")
    atelier("deploy", "-n", name, *REGION, *FAKE, "-d", "-b", f"{name}-first")
    result = atelier("deploy", "-n", name, "-b", f"{name}-second", "--yes", "--skip-proof")

    assert result.exit_code == 0, result.output
    assert f"making bucket {name}-second" in result.output


def test_a_bucket_that_was_left_half_made_is_made_whole(
    signed_in: Any, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    """The bucket gets its checkpoint, too, which diffusers cannot do without."""
    name = unique("d")
    file = tmp_path / f"config.{name}.yaml"
    atelier("deploy", "-n", name, *REGION, "-t", "diffusers", "-d")
    content = yaml.safe_load(file.read_text())
    content["modelsRuntime"][0]["gpus"] = 0  # the emulator knows no quotas
    file.write_text(yaml.safe_dump(content))
    chosen = str(Settings.read(file).model_bucket)
    bucket = ModelBucket(Aws("us-east-1"), chosen, name)
    bucket.s3.create_bucket(Bucket=chosen)
    first = atelier("deploy", "-n", name, "--yes", "--skip-proof")
    whole = bucket.s3.list_objects_v2(Bucket=chosen)["Contents"]
    bucket.s3.delete_object(Bucket=chosen, Key=whole[-1]["Key"])
    second = atelier("deploy", "-n", name, "--yes", "--skip-proof")

    assert first.exit_code == second.exit_code == 0, second.output
    assert bucket.is_ours()
    assert "1 files" in second.output
    assert len(bucket.s3.list_objects_v2(Bucket=chosen)["Contents"]) == len(whole)


def test_a_bucket_that_was_there_before_is_not_filled(
    signed_in: Any, programs: Programs, atelier: Call
) -> None:
    name = unique("d")
    client("s3").create_bucket(Bucket=f"{name}-mine")
    given = ("-b", f"{name}-mine", "--yes", "--skip-proof")
    result = atelier("deploy", "-n", name, *REGION, *FAKE, *given)

    assert result.exit_code == 0, result.output
    assert f"bucket {name}-mine now tells EventBridge" in result.output
    assert "Contents" not in client("s3").list_objects_v2(Bucket=f"{name}-mine")


def test_a_bucket_whose_owner_forbids_it_stays_silent(
    signed_in: Any, programs: Programs, atelier: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "PutBucketNotification")

    monkeypatch.setattr(ModelBucket, "enable_events", refused)
    result = atelier("deploy", "-n", unique("d"), *REGION, *FAKE, "--yes", "--skip-proof")

    assert result.exit_code == 0, result.output
    assert "may not be told to tell EventBridge" in result.output


def test_all_that_is_missing_is_named_at_once_and_nothing_is_made(
    signed_in: Any, programs: Programs, atelier: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = unique("d")
    programs.cdk = "3.0.0"
    (programs.folder / "docker").unlink()
    monkeypatch.setenv("PATH", str(programs.folder))
    monkeypatch.setenv("ATELIER_VPC__ZONES", '["a", "x"]')

    result = atelier("deploy", "-n", name, *REGION, *FAKE, "--yes", "-T")

    assert result.exit_code == 2
    for missing in ("cdk: 3.0.0, not 2.1148.1", "zones: us-east-1x", "images: fake, head"):
        assert missing in result.output
    assert not programs.of("cdk")
    assert not [b for b in client("s3").list_buckets()["Buckets"] if b["Name"].startswith(name)]


def test_the_pinned_cdk_is_fetched_unless_told_not_to(
    signed_in: Any, programs: Programs, atelier: Call
) -> None:
    name = unique("d")
    programs.cdk = "3.0.0"
    atelier("deploy", "-n", name, *REGION, *FAKE, "--yes", "-T")
    skipped = programs.of(NPM)
    atelier("deploy", "-n", name, *REGION, *FAKE, "--yes")

    assert not skipped
    assert [call[0] for call in programs.of(NPM)] == ["ci"]


def test_an_image_without_a_base_is_asked_for(
    signed_in: Any, programs: Programs, atelier: Call
) -> None:
    name = unique("d")
    atelier("deploy", "-n", name, *REGION, "-t", "comfyui", "-d")
    file = Path(f"config.{name}.yaml")
    content = yaml.safe_load(file.read_text())
    content["modelsRuntime"][0]["gpus"] = 0  # the emulator knows no quotas
    file.write_text(yaml.safe_dump(content))
    result = atelier("deploy", "-n", name, "--yes", "--skip-proof")
    given = ("--base-image", "comfyui=mine/comfyui:1")
    again = atelier("deploy", "-n", name, "--yes", "--skip-proof", *given)
    builds = [call for call in programs.of("docker") if call[:2] == ["buildx", "build"]]

    assert result.exit_code == 2
    assert "--base-image comfyui=IMAGE:VERSION" in result.output
    assert len([call for call in programs.of("cdk") if call[0] == "deploy"]) == 1
    assert again.exit_code == 0, again.output
    assert "RUNTIME_IMAGE=mine/comfyui:1" in builds[0]


def test_a_base_of_an_image_that_has_none_is_refused(
    signed_in: Any, programs: Programs, atelier: Call
) -> None:
    given = ("--base-image", "fake=mine/fake:1")
    result = atelier("deploy", "-n", unique("d"), *REGION, *FAKE, "--yes", *given)

    assert result.exit_code == 2
    assert "--base-image fake: no such image; built on another: none" in result.output
    assert not programs.calls


def test_no_means_no(signed_in: Any, programs: Programs, atelier: Call) -> None:
    result = atelier("deploy", "-n", unique("d"), *REGION, *FAKE, stdin="n\n")

    assert result.exit_code == 2
    assert "nothing was deployed" in result.output
    assert [call[0] for call in programs.of("cdk")] == ["synth"]


def test_weights_go_into_a_bucket_that_the_stack_makes(
    signed_in: Any, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    """The bucket does not exist before the stack, so weights are uploaded after it."""
    name = unique("d")
    (tmp_path / "models" / "Lora").mkdir(parents=True)
    (tmp_path / "models" / "Lora" / "a.safetensors").write_bytes(b"a")
    atelier("deploy", "-n", name, *REGION, *FAKE, "-d")
    file = tmp_path / f"config.{name}.yaml"
    file.write_text(file.read_text() + "storage: {createModelBucket: true}\n")
    given = ("--models", tmp_path / "models", "--yes", "--skip-proof")
    result = atelier("deploy", "-n", name, *given)
    bucket = Settings.read(file).model_bucket

    assert result.exit_code == 0, result.output
    assert "making bucket" not in result.output
    keys = [each["Key"] for each in client("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["Lora/a.safetensors"]


def test_samples_go_into_a_bucket_that_the_stack_makes(
    signed_in: Any, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    name = unique("d")
    atelier("deploy", "-n", name, *REGION, *FAKE, "-d")
    file = tmp_path / f"config.{name}.yaml"
    file.write_text(file.read_text() + "storage: {createModelBucket: true}\n")
    result = atelier("deploy", "-n", name, "--yes", "--skip-proof")
    bucket = Settings.read(file).model_bucket
    keys = [each["Key"] for each in client("s3").list_objects_v2(Bucket=bucket)["Contents"]]

    assert result.exit_code == 0, result.output
    assert "Stable-diffusion/shapes/model_index.json" in keys
