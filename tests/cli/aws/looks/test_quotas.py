"""How many vCPUs an account may run; moto has the instances."""

from typing import Any

import pytest
from botocore.client import BaseClient

from cli.aws.looks.quotas import quotas
from cli.aws.sdk import Aws
from tests.cli.aws.looks.conftest import runtime, wanted

STANDARD = "Running On-Demand Standard instances"
GPUS = "Running On-Demand G and VT instances"
SPOT = "All G and VT Spot Instance Requests"


def test_quotas_that_hold_all_nodes_are_there(quotas_there: dict[str, float], aws: Aws) -> None:
    """Five GPUs on nodes of eight vCPUs each, and the system's nodes."""
    found = list(quotas(aws, wanted()))

    assert {one.state for one in found} == {"there"}
    assert {one.name for one in found} == {STANDARD, GPUS, SPOT}


def test_a_quota_below_one_node_stops_and_says_what_to_ask_for(
    quotas_there: dict[str, float], aws: Aws
) -> None:
    quotas_there |= {"L-DB2E81BA": 4, "L-3819A6DF": 16}
    by_name = {one.name: one for one in quotas(aws, wanted())}

    assert (by_name[GPUS].state, by_name[GPUS].text) == ("missing", "4 vCPUs; one node needs 8")
    assert "--quota-code L-DB2E81BA --desired-value 40" in by_name[GPUS].remedy
    assert by_name[SPOT].state == "note"
    assert by_name[SPOT].text == "16 vCPUs; nodes.maxGpus allow for 40"


@pytest.mark.parametrize(
    ("vcpus", "state", "text"),
    [
        (1, "missing", "1 vCPUs; 4 are the system nodes'"),
        (5, "note", "5 vCPUs; an upgrade may need 12"),
        (12, "there", "12 vCPUs"),
    ],
)
def test_the_system_nodes_count_to_a_quota_of_their_own(
    quotas_there: dict[str, float], aws: Aws, vcpus: int, state: str, text: str
) -> None:
    """Two nodes of two vCPUs; a new account has 5 or fewer."""
    quotas_there["L-1216C47A"] = vcpus
    (found,) = quotas(aws, wanted(modelsRuntime=[runtime(type="fake", gpus=0)]))

    assert (found.name, found.state, found.text) == (STANDARD, state, text)


def test_only_the_capacity_that_is_used_is_asked_about(
    quotas_there: dict[str, float], aws: Aws
) -> None:
    nodes = {"instanceTypes": ["p4d.24xlarge"], "capacity": ["on-demand"], "maxGpus": 16}
    _, found = quotas(aws, wanted(modelsRuntime=[runtime(nodes=nodes)]))

    assert (found.name, found.state) == ("Running On-Demand P instances", "missing")
    assert found.text == "0 vCPUs; one node needs 96"
    assert "--desired-value 192" in found.remedy


def test_two_runtimes_count_together(quotas_there: dict[str, float], aws: Aws) -> None:
    spot = {"nodes": {"capacity": ["spot"]}}
    _, found = quotas(aws, wanted(modelsRuntime=[runtime(name=name, **spot) for name in "ab"]))

    assert found.text == "40 vCPUs; nodes.maxGpus allow for 80"


def test_a_type_that_the_region_lacks_is_left_out(quotas_there: dict[str, float], aws: Aws) -> None:
    nodes = {"instanceTypes": ["g99.large", "g5.2xlarge"]}
    found = list(quotas(aws, wanted(modelsRuntime=[runtime(nodes=nodes)])))

    assert {one.state for one in found} == {"there"}


def test_a_quota_that_nobody_changed_is_the_one_that_all_begin_with(
    quotas_there: dict[str, float], aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin_with(**_: Any) -> dict[str, Any]:
        return {"Quota": {"Value": 5.0}}

    client: BaseClient = aws.client("service-quotas")
    monkeypatch.setattr(client, "get_aws_default_service_quota", begin_with)
    del quotas_there["L-1216C47A"]
    (found,) = quotas(aws, wanted(modelsRuntime=[runtime(type="fake", gpus=0)]))

    assert found.text == "5 vCPUs; an upgrade may need 12"
