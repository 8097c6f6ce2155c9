"""Preflight: all checks together, and what is demanded of their findings."""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from cli.aws.deploy.checks.finding import Finding
from cli.aws.deploy.preflight import Preflight, require_all
from cli.aws.sdk import Aws, RequirementMissing
from cli.aws.tools import Tools
from tests.cli.aws.deploy.checks.conftest import wanted


def test_a_look_that_is_refused_is_a_finding_among_the_others(
    quotas_there: dict[str, float], region: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = Aws("us-west-2")

    def refused(**_: object) -> None:
        raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadBucket")

    monkeypatch.setattr(aws.client("s3"), "head_bucket", refused)
    found = {one.name: one for one in Preflight(aws, wanted(), Tools(tmp_path))()}

    assert found["weights"].state == "missing"
    assert "bucket atelier-models is not yours to read" in found["weights"].text
    assert found["zones"].state == "there"


@pytest.mark.usefixtures("quotas_there", "region")
@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AccessDenied", "every look needs to be allowed"),
        ("InvalidAction", "put that right, and run this again"),
    ],
)
def test_only_a_look_that_is_not_allowed_needs_to_be_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, remedy: str
) -> None:
    aws = Aws("us-west-2")

    def refused(**_: object) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no such call"}}, "GetDefault")

    monkeypatch.setattr(aws.client("ec2"), "get_ebs_default_kms_key_id", refused)
    found = {one.name: one for one in Preflight(aws, wanted(), Tools(tmp_path))()}

    assert found["keys of volumes"].remedy == remedy


def test_what_a_region_must_have_is_looked_at(
    quotas_there: dict[str, float], region: None, tmp_path: Path
) -> None:
    found = Preflight(Aws("us-west-2"), wanted(), Tools(tmp_path))()
    there = {one.name for one in found if one.state == "there"}

    assert {"add-ons", "Bottlerocket", "EBS's default key"} <= there


def test_demand_names_everything_that_is_missing() -> None:
    findings = [
        Finding("a", "missing", "not there", "make it"),
        Finding("b", "note", "so so"),
        Finding("c", "missing", "too old", "renew it"),
    ]
    with pytest.raises(
        RequirementMissing, match=r"a: not there; make it\nc: too old; renew it"
    ) as refusal:
        require_all(findings)

    assert refusal.value.code == 2
    require_all([findings[1]])
