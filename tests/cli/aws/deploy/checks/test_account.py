"""Checks of what an account or region has once, on moto's IAM and SSM."""

import boto3

from cli.aws.deploy.checks.account import bootstrap, make_spot_role, spot
from cli.aws.sdk import Aws
from tests.cli.aws.deploy.checks.conftest import REGION, runtime, wanted


def test_spots_role_is_made_once(aws: Aws) -> None:
    before = [one.state for one in spot(aws, wanted())]
    for _ in range(2):
        make_spot_role(aws)

    assert before == ["note"]
    assert [one.state for one in spot(aws, wanted())] == ["there"]


def test_without_spot_nobody_looks_for_its_role(aws: Aws) -> None:
    assert not [*spot(aws, wanted(modelsRuntime=[runtime(type="fake", gpus=0)]))]


def test_bootstrap_is_found_by_its_version(aws: Aws) -> None:
    before = [one.state for one in bootstrap(aws)]
    boto3.client("ssm", region_name=REGION).put_parameter(
        Name="/cdk-bootstrap/hnb659fds/version", Value="28", Type="String"
    )
    (after,) = bootstrap(aws)

    assert before == ["note"]
    assert (after.state, after.text) == ("there", "version 28")
