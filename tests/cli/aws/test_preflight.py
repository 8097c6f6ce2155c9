"""What is looked at before a deployment; moto has instances, roles and parameters."""

from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.servicequotas.models import ServiceQuotasBackend

from cli.aws.errors import Unmet
from cli.aws.preflight import Finding, Preflight, demand, make_spot_role
from cli.aws.sdk import Aws
from cli.aws.tools import Tools
from models.settings import Settings
from tests.cli.aws.platform import file_of

REGION = "us-west-2"
QUOTAS = {"L-DB2E81BA": 40.0, "L-3819A6DF": 40.0, "L-417A185B": 0.0, "L-7212CCBC": 0.0}


@pytest.fixture
def quotas(moto: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """VCPUs by code; moto itself knows the quotas of networks only."""
    known = dict(QUOTAS)

    def get(_: Any, service_code: str, quota_code: str) -> dict[str, Any]:
        return {"QuotaCode": quota_code, "Value": known[quota_code]}

    monkeypatch.setattr(ServiceQuotasBackend, "get_service_quota", get)
    return known


def look(tmp_path: Path, **runtime: Any) -> Preflight:
    one = {"name": "painter", "type": "diffusers", **runtime}
    aws = {"region": REGION, "account": "123456789012"}
    settings = Settings.read(args=file_of("atelier", aws=aws, modelsRuntime=[one]))
    return Preflight(Aws(REGION), settings, Tools(tmp_path))


def test_quotas_that_hold_all_nodes_are_there(quotas: dict[str, float], tmp_path: Path) -> None:
    """Five GPUs on nodes of eight vCPUs each."""
    found = list(look(tmp_path).quotas())

    assert [one.state for one in found] == ["there", "there"]
    assert {one.name for one in found} == {
        "All G and VT Spot Instance Requests",
        "Running On-Demand G and VT instances",
    }


def test_a_quota_below_one_node_stops_and_says_what_to_ask_for(
    quotas: dict[str, float], tmp_path: Path
) -> None:
    quotas["L-DB2E81BA"] = 4
    quotas["L-3819A6DF"] = 16
    by_name = {one.name: one for one in look(tmp_path).quotas()}
    none = by_name["Running On-Demand G and VT instances"]
    some = by_name["All G and VT Spot Instance Requests"]

    assert (none.state, none.text) == ("missing", "4 vCPUs; one node needs 8")
    assert "--quota-code L-DB2E81BA --desired-value 40" in none.remedy
    assert (some.state, some.text) == ("note", "16 vCPUs; nodes.maxGpus allow for 40")


def test_only_the_capacity_that_is_used_is_asked_about(
    quotas: dict[str, float], tmp_path: Path
) -> None:
    nodes = {"instanceTypes": ["p4d.24xlarge"], "capacity": ["on-demand"], "maxGpus": 16}
    (found,) = look(tmp_path, nodes=nodes).quotas()

    assert (found.name, found.state) == ("Running On-Demand P instances", "missing")
    assert found.text == "0 vCPUs; one node needs 96"
    assert "--desired-value 192" in found.remedy


def test_two_runtimes_count_together(quotas: dict[str, float], tmp_path: Path) -> None:
    one = {"type": "diffusers", "nodes": {"capacity": ["spot"]}}
    runtimes = [{"name": "a", **one}, {"name": "b", **one}]
    aws = {"region": REGION, "account": "123456789012"}
    settings = Settings.read(args=file_of("atelier", aws=aws, modelsRuntime=runtimes))
    (found,) = Preflight(Aws(REGION), settings, Tools(tmp_path)).quotas()

    assert found.text == "40 vCPUs; nodes.maxGpus allow for 80"


def test_a_runtime_without_a_gpu_asks_for_no_quota(moto: None, tmp_path: Path) -> None:
    without = look(tmp_path, type="fake", gpus=0)

    assert not [*without.quotas(), *without.instances(), *without.spot()]


def test_instances_that_the_region_lacks_are_named(moto: None, tmp_path: Path) -> None:
    none = look(tmp_path, nodes={"instanceTypes": ["g99.large"]})
    some = look(tmp_path, nodes={"instanceTypes": ["g99.large", "g5.2xlarge"]})

    assert [one.state for one in none.instances()] == ["missing"]
    assert [one.text for one in some.instances()] == ["not in this region: g99.large"]


def test_spots_role_is_made_once(moto: None, tmp_path: Path) -> None:
    before = [one.state for one in look(tmp_path).spot()]
    for _ in range(2):
        make_spot_role(Aws(REGION))

    assert before == ["note"]
    assert [one.state for one in look(tmp_path).spot()] == ["there"]


def test_a_zone_that_is_not_there_is_named_with_those_that_are(moto: None, tmp_path: Path) -> None:
    there = look(tmp_path)
    vpc = there.settings.vpc.model_copy(update={"zones": ("a", "z")})
    settings = there.settings.model_copy(update={"vpc": vpc})
    (found,) = Preflight(there.aws, settings, there.tools).zones()

    assert (found.state, found.text) == ("missing", "us-west-2z")
    assert "us-west-2a, us-west-2b" in found.remedy


def test_a_bucket_of_somebody_else_is_told(
    moto: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = look(tmp_path)

    def refused(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadBucket")

    monkeypatch.setattr(there.aws.client("s3"), "head_bucket", refused)
    found = {one.name: one for one in there()}

    assert found["weights"].state == "missing"
    assert "bucket atelier-models is not yours to read" in found["weights"].text


def test_weights_in_a_folder_are_no_use_to_nodes(moto: None, tmp_path: Path) -> None:
    aws = {"region": REGION, "account": "123456789012"}
    given = file_of("atelier", aws=aws, checkpoints="models") | {"modelBucketArn": None}
    preflight = Preflight(Aws(REGION), Settings.read(args=given), Tools(tmp_path))

    assert [one.state for one in preflight.weights()] == ["missing"]


def test_bootstrap_is_found_by_its_version(moto: None, tmp_path: Path) -> None:
    before = [one.state for one in look(tmp_path).bootstrap()]
    boto3.client("ssm", region_name=REGION).put_parameter(
        Name="/cdk-bootstrap/hnb659fds/version", Value="28", Type="String"
    )
    (after,) = look(tmp_path).bootstrap()

    assert before == ["note"]
    assert (after.state, after.text) == ("there", "version 28")


def test_demand_names_everything_that_is_missing() -> None:
    findings = [
        Finding("a", "missing", "not there", "make it"),
        Finding("b", "note", "so so"),
        Finding("c", "missing", "too old", "renew it"),
    ]
    with pytest.raises(Unmet, match=r"a: not there; make it\nc: too old; renew it") as refusal:
        demand(findings)

    assert refusal.value.code == 2
    demand([findings[1]])
