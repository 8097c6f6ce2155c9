"""Values of charts: Helm drops an unknown one without a word, so each must be the chart's."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.cdk.conftest import Synthesized
from tests.cdk.upstream import facts, given
from tests.cdk.upstream.checkouts import CHARTS
from tests.cdk.upstream.values import mistakes


def test_each_chart_gets_only_values_that_it_reads_and_of_the_type_it_has(
    either: Synthesized,
) -> None:
    values = given.values(either)
    wrong = {name: [*mistakes(values[name], _known(name))] for name in values if name in CHARTS}

    assert len(wrong) >= 4
    assert not any(wrong.values()), wrong


def test_charts_and_add_ons_without_facts_get_no_values_that_need_them(
    either: Synthesized,
) -> None:
    """The network plugin has no chart among the checkouts: its one value is in EKS's guide."""
    others = {name: each for name, each in given.values(either).items() if name not in CHARTS}

    assert others == {"karpenter-crd": {}, "vpc-cni": {"enableNetworkPolicy": "true"}}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("karpenter", {"settings": {"clustername": "Studio"}}),
        ("karpenter", {"replicas": "2"}),
        ("kuberay-operator", {"watchNamespaces": ["atelier"]}),
        ("aws-load-balancer-controller", {"vpcID": "vpc-1"}),
        ("aws-mountpoint-s3-csi-driver", {"node": {"tolerateAllTaint": True}}),
        ("amazon-cloudwatch-observability", {"agent": {"configuration": {}}}),
    ],
)
def test_a_value_that_is_misspelt_is_found(name: str, wrong: Mapping[str, Any]) -> None:
    assert len([*mistakes(wrong, _known(name))]) == 1


def _known(name: str) -> Mapping[str, str]:
    known: Mapping[str, str] = facts.recorded(name)["values"]
    return known
