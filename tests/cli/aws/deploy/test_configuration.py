"""Configuration that `atelier aws deploy` writes, and its changes to an existing one."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from moto import mock_aws

from models.settings import Settings
from tests.cli.aws.conftest import Call

DRY = ("deploy", "-d", "-R", "us-west-2")
ACCOUNT = "123456789012"


def _written(path: Path | str = "config.atelier.yaml") -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(Path(path).read_text())
    return content


def test_the_references_options_say_what_is_in_it(moto: None, atelier: Call) -> None:
    given = ("-n", "Studio", "-b", "my-models", "-r", "Painter", "-t", "sdwebui")
    result = atelier(*DRY, *given, "-s", "snap-0123456789abcdef0", "-T")
    settings = Settings.read(Path("config.studio.yaml"))
    (runtime,) = settings.models_runtime

    assert result.exit_code == 0, result.output
    assert settings.stack_name == "Studio"
    assert (settings.aws.region, settings.aws.account) == ("us-west-2", ACCOUNT)
    assert settings.model_bucket == "my-models"
    assert (runtime.name, runtime.type) == ("painter", "sdwebui")
    assert runtime.nodes.image_cache == "ebs-snapshot"
    assert runtime.nodes.snapshot == "snap-0123456789abcdef0"


def test_without_options_it_is_a_whole_configuration(moto: None, atelier: Call) -> None:
    atelier(*DRY)
    settings = Settings.read(Path("config.atelier.yaml"))
    bucket = str(settings.model_bucket)

    assert settings.models_runtime[0].type == "diffusers"
    assert bucket.startswith("atelier-model-bucket-")
    assert len(bucket) == len("atelier-model-bucket-") + 4
    assert settings.edge.enabled


def test_of_a_bucket_that_is_named_no_checkpoint_is_known(moto: None, atelier: Call) -> None:
    atelier(*DRY, "-b", "my-models")
    atelier(*DRY, "-n", "other")
    known, own = (
        Settings.read(Path(f"config.{name}.yaml")).models_runtime[0].model_filename
        for name in ("atelier", "other")
    )

    assert known is None
    assert own == "shapes"


def test_in_china_there_is_no_api_gateway_and_the_partition_is_its_own(
    moto: None, atelier: Call
) -> None:
    atelier("deploy", "-d", "-R", "cn-northwest-1")
    settings = Settings.read(Path("config.atelier.yaml"))

    assert settings.aws.partition == "aws-cn"
    assert str(settings.model_bucket_arn).startswith("arn:aws-cn:s3:::")
    assert settings.names.arn("sns", "x").startswith("arn:aws-cn:sns:cn-northwest-1:")
    assert not settings.edge.enabled


def test_who_deploys_may_look_into_the_cluster(moto: None, atelier: Call) -> None:
    """EKS knows a role, and no session of it."""
    import boto3  # noqa: PLC0415

    iam, sts = boto3.client("iam"), boto3.client("sts", region_name="us-east-1")
    role = iam.create_role(RoleName="Dev", Path="/people/", AssumeRolePolicyDocument="{}")["Role"]
    keys = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="ana")["Credentials"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
        patch.setenv("AWS_SESSION_TOKEN", keys["SessionToken"])
        atelier(*DRY)

    assert _written()["cluster"]["admins"] == [f"arn:aws:iam::{ACCOUNT}:role/people/Dev"]


def test_what_is_there_is_kept_to_the_last_letter(moto: None, atelier: Call) -> None:
    atelier(*DRY)
    file = Path("config.atelier.yaml")
    mine = file.read_text() + "# mine\ntasks: {maxAttempts: 5}\n"
    file.write_text(mine)
    result = atelier("deploy", "-d")

    assert result.exit_code == 0, result.output
    assert file.read_text() == mine


def test_a_change_is_shown_and_asked_for(moto: None, atelier: Call) -> None:
    atelier(*DRY, "-b", "first")
    before = Path("config.atelier.yaml").read_text()
    refused = atelier("deploy", "-d", "-b", "second", stdin="n\n")
    kept = Path("config.atelier.yaml").read_text()
    agreed = atelier("deploy", "-d", "-b", "second", stdin="y\n")

    assert refused.exit_code == 2
    assert "-modelBucketArn: arn:aws:s3:::first" in refused.output
    assert "+modelBucketArn: arn:aws:s3:::second" in refused.output
    assert kept == before
    assert agreed.exit_code == 0
    assert _written()["modelBucketArn"] == "arn:aws:s3:::second"
    assert Path("config.atelier.yaml.bak").read_text() == before
    assert Path("config.atelier.yaml.bak").stat().st_mode & 0o077 == 0


def test_no_key_is_shown_with_a_change(moto: None, atelier: Call) -> None:
    atelier(*DRY, "-b", "first")
    file = Path("config.atelier.yaml")
    file.write_text(file.read_text() + "apiKeys: [{name: us, key: very-secret}]\n")
    result = atelier("deploy", "-d", "-b", "second", "--yes")

    assert "+modelBucketArn: arn:aws:s3:::second" in result.output
    assert "very-secret" not in result.output
    assert _written()["apiKeys"] == [{"name": "us", "key": "very-secret"}]


def test_another_runtime_is_added_and_a_known_one_changed(moto: None, atelier: Call) -> None:
    atelier(*DRY, "-r", "first", "-t", "sdwebui")
    atelier("deploy", "-d", "-r", "second", "-t", "comfyui", "--yes")
    atelier("deploy", "-d", "-r", "FIRST", "-t", "diffusers", "--yes")

    runtimes = Settings.read(Path("config.atelier.yaml")).models_runtime
    assert [(one.name, one.type) for one in runtimes] == [
        ("first", "diffusers"),
        ("second", "comfyui"),
    ]


def test_a_snapshot_changes_nothing_else(moto: None, atelier: Call) -> None:
    atelier(*DRY)
    before = _written()
    atelier("deploy", "-d", "-s", "snap-00000001", "--yes")
    after = _written()
    cached = {"imageCache": "ebs-snapshot", "snapshot": "snap-00000001"}

    assert after["modelsRuntime"][0].pop("nodes") == cached
    assert after == before


def test_what_would_be_wrong_is_not_written(moto: None, atelier: Call) -> None:
    result = atelier(*DRY, "-n", "1st")

    assert result.exit_code == 2
    assert "stackName" in result.output
    assert not list(Path().iterdir())


@pytest.mark.parametrize("given", [("-R", "eu-west-1"), ("-n", "other")])
def test_an_installation_stays_where_it_is(
    moto: None, atelier: Call, given: tuple[str, str]
) -> None:
    atelier(*DRY)
    result = atelier("deploy", "-d", "--config", "config.atelier.yaml", *given)

    assert result.exit_code == 2
    assert f"not '{given[1]}'" in result.output


def test_another_account_is_not_touched(moto: None, atelier: Call) -> None:
    atelier(*DRY)
    file = Path("config.atelier.yaml")
    file.write_text(file.read_text().replace(ACCOUNT, "210987654321"))
    result = atelier("status")

    assert result.exit_code == 3
    assert f"signed in to account {ACCOUNT}, but config.atelier.yaml is of" in result.output


def test_a_dry_run_needs_nobody_to_be_signed_in(
    moto: None, atelier: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    dry = atelier(*DRY)
    real = atelier("deploy")

    assert dry.exit_code == 0, dry.output
    assert "account" not in _written()["aws"]
    assert real.exit_code == 3
    assert "aws sso login" in real.output


def test_who_signs_in_later_may_look_into_the_cluster(
    moto: None, atelier: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as nobody:
        nobody.delenv("AWS_ACCESS_KEY_ID")
        nobody.setenv("AWS_EC2_METADATA_DISABLED", "true")
        atelier(*DRY)
    written = _written()
    atelier("deploy", "-d", "--yes")
    signed = _written()

    assert "cluster" not in written
    assert signed["aws"]["account"] == ACCOUNT
    assert signed["cluster"]["admins"] == [f"arn:aws:sts::{ACCOUNT}:user/moto"]


def test_a_region_is_needed(moto: None, atelier: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    result = atelier("deploy", "-d")

    assert result.exit_code == 2
    assert "no region; name one with --region" in result.output


def test_installations_in_one_account_share_no_name() -> None:
    with mock_aws():
        names = [_names(Settings.read(args=_of(name))) for name in ("ana", "bo")]

    assert not names[0] & names[1]


def _of(name: str) -> dict[str, Any]:
    runtimes = [{"name": "painter", "type": "fake"}]
    aws = {"account": ACCOUNT, "region": "us-east-1"}
    arn = f"arn:aws:s3:::{name}-models"
    return {"stackName": name, "aws": aws, "modelBucketArn": arn, "modelsRuntime": runtimes}


def _names(settings: Settings) -> set[str]:
    from models.names import images, kube  # noqa: PLC0415
    from models.names.queues import queue_names  # noqa: PLC0415

    return {
        *queue_names(
            settings.names, settings.models_runtime, settings.tasks, settings.model_bucket
        ),
        settings.names.tasks_topic,
        settings.names.results_topic,
        settings.names.ledger,
        settings.names.output_bucket,
        settings.names.access_logs_bucket,
        *(images.repository(settings.names, kind) for kind in images.kinds(settings)),
        kube.ray_service(settings.names),
        settings.stack_name,
    }


def test_what_is_set_in_vain_is_named(moto: None, atelier: Call) -> None:
    atelier(*DRY)
    file = Path("config.atelier.yaml")
    file.write_text(f"{file.read_text()}apiKeysFile: keys.yaml\nfront: {{waf: true}}\n")
    told = atelier(*DRY)

    assert told.exit_code == 0, told.output
    assert "note: apiKeysFile: no effect on AWS: keys are in a table" in told.output
    assert "note: front: no effect here: front.enabled is false" in told.output


def test_what_deploy_writes_itself_is_not_in_vain(moto: None, atelier: Call) -> None:
    assert "no effect" not in atelier(*DRY).output


def test_one_snapshot_is_named_or_made(moto: None, atelier: Call) -> None:
    told = atelier(*DRY, "-s", "snap-0a", "-S")

    assert told.exit_code == 2
    assert "give one of them" in told.output
    assert not Path("config.atelier.yaml").exists()
