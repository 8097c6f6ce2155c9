"""Checks of vCPU quotas; moto has the instance types."""

from typing import Any

import pytest
from botocore.client import BaseClient

from cli.aws.deploy.checks.quotas import quotas
from cli.aws.sdk import Aws
from tests.cli.aws.deploy.checks.conftest import runtime, wanted

STANDARD = "Running On-Demand Standard instances"
GPUS = "Running On-Demand G and VT instances"
SPOT = "All G and VT Spot Instance Requests"


def test_quotas_that_hold_all_nodes_are_there(quotas_there: dict[str, float], aws: Aws) -> None:
    """Five GPUs on nodes of eight vCPUs each, one more for an upgrade, and the system's nodes."""
    found = list(quotas(aws, wanted()))

    assert {one.state for one in found} == {"there"}
    assert {one.name for one in found} == {STANDARD, GPUS, SPOT}


def test_a_quota_below_one_node_stops_and_says_what_to_ask_for(
    quotas_there: dict[str, float], aws: Aws
) -> None:
    quotas_there |= {"L-DB2E81BA": 4, "L-3819A6DF": 16}
    by_name = {one.name: one for one in quotas(aws, wanted())}

    assert (by_name[GPUS].state, by_name[GPUS].text) == ("missing", "4 vCPUs; one node needs 8")
    assert "--quota-code L-DB2E81BA --desired-value 48" in by_name[GPUS].remedy
    assert by_name[SPOT].state == "note"
    assert by_name[SPOT].text == "16 vCPUs; with upgrades 48 may come"


@pytest.mark.parametrize(
    ("vcpus", "state", "text"),
    [
        (1, "missing", "1 vCPUs; 4 are those of the system nodes and of ingest's pods"),
        (5, "note", "5 vCPUs; with upgrades 12 may come"),
        (12, "there", "12 vCPUs"),
    ],
)
def test_the_system_nodes_count_to_a_quota_of_their_own(
    quotas_there: dict[str, float], aws: Aws, vcpus: int, state: str, text: str
) -> None:
    """Two nodes of two vCPUs; a new account has 5 or fewer."""
    quotas_there["L-1216C47A"] = vcpus
    found = next(quotas(aws, wanted()))

    assert (found.name, found.state, found.text) == (STANDARD, state, text)


@pytest.mark.parametrize(
    ("upgrade", "vcpus", "text"),
    [
        ("None", 7, "7 vCPUs; 8 are those of the system nodes and of ingest's pods"),
        ("None", 23, "23 vCPUs; with upgrades 24 may come"),
        ("None", 24, "24 vCPUs"),
        ("NewCluster", 24, "24 vCPUs; with upgrades 36 may come"),
    ],
)
def test_the_pods_of_ingest_beyond_the_first_count_with_the_system_nodes(
    quotas_there: dict[str, float], aws: Aws, upgrade: str, vcpus: int, text: str
) -> None:
    """Two system nodes of two vCPUs, two pods a node for the fewest, and one for the most."""
    quotas_there["L-1216C47A"] = vcpus
    several = {"minReplicas": 4, "maxReplicas": 7}
    found = next(quotas(aws, wanted(ingest=several, rayCluster={"upgrade": upgrade})))

    assert found.text == text


def test_only_the_capacity_that_is_used_is_asked_about(
    quotas_there: dict[str, float], aws: Aws
) -> None:
    nodes = {"instanceTypes": ["p4d.24xlarge"], "capacity": ["on-demand"], "maxGpus": 16}
    _, found = quotas(aws, wanted(modelsRuntime=[runtime(nodes=nodes)]))

    assert (found.name, found.state) == ("Running On-Demand P instances", "missing")
    assert found.text == "0 vCPUs; one node needs 96"
    assert "--desired-value 288" in found.remedy


def test_two_runtimes_count_together(quotas_there: dict[str, float], aws: Aws) -> None:
    spot = {"nodes": {"capacity": ["spot"]}}
    _, found = quotas(aws, wanted(modelsRuntime=[runtime(name=name, **spot) for name in "ab"]))

    assert found.text == "48 vCPUs; with upgrades 96 may come"


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
    found = next(quotas(aws, wanted()))

    assert found.text == "5 vCPUs; with upgrades 12 may come"


@pytest.mark.parametrize(
    ("more", "nodes"),
    [
        ({"gpus": 5, "nodes": {"maxGpus": 15}}, 4),
        ({"pod": {"memory": 400}, "nodes": {"maxGpus": 8}}, 9),
        ({"pod": {"cpu": 100}, "nodes": {"maxGpus": 8}}, 9),
    ],
)
def test_nodes_are_counted_as_the_node_pool_counts_them(
    quotas_there: dict[str, float], aws: Aws, more: dict[str, Any], nodes: int
) -> None:
    """A pod fills a node with eight GPUs by its GPUs, its memory or its cores."""
    more["nodes"] |= {"instanceTypes": ["g5.48xlarge"], "capacity": ["spot"]}
    by_name = {one.name: one for one in quotas(aws, wanted(modelsRuntime=[runtime(**more)]))}

    assert f"--desired-value {nodes * 192}" in by_name[SPOT].remedy


def test_without_two_clusters_at_once_an_upgrade_needs_no_node(
    quotas_there: dict[str, float], aws: Aws
) -> None:
    quotas_there["L-3819A6DF"] = 8
    by_name = {one.name: one for one in quotas(aws, wanted(rayCluster={"upgrade": "None"}))}

    assert "--desired-value 40" in by_name[SPOT].remedy


def test_runtimes_without_a_gpu_count_to_the_standard_quotas(
    quotas_there: dict[str, float], aws: Aws
) -> None:
    quotas_there |= {"L-1216C47A": 12, "L-34B43A08": 8}
    nodes = {"instanceTypes": ["m5.2xlarge"], "maxGpus": 4}
    made = wanted(modelsRuntime=[runtime(type="fake", gpus=0, nodes=nodes)])
    by_name = {one.name: one for one in quotas(aws, made)}

    assert by_name[STANDARD].text == "12 vCPUs; with upgrades 52 may come"
    assert by_name["All Standard Spot Instance Requests"].text == (
        "8 vCPUs; with upgrades 40 may come"
    )
