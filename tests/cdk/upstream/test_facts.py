"""Recorded facts are of the pinned versions, and still agree with upstream's own files."""

import pytest

from cdk.stack import Platform
from models.addons import KUBERNETES, NEWEST_FOR_KARPENTER
from tests.cdk.conftest import Synthesized
from tests.cdk.upstream import facts, given
from tests.cdk.upstream.checkouts import CHARTS


@pytest.mark.parametrize("name", CHARTS)
def test_facts_are_of_the_pinned_version(name: str) -> None:
    """A pin moved without `make upstream` is found."""
    recorded = facts.recorded(name)

    assert recorded["version"] == CHARTS[name].version
    assert recorded["source"] == CHARTS[name].pin.source


@pytest.mark.parametrize("name", CHARTS)
def test_facts_are_what_upstream_says(whole: Synthesized, platform: Platform, name: str) -> None:
    actions = given.actions(whole, platform, given.BALANCERS)

    assert facts.recorded(name) == facts.read(name, given.values(whole)[name], actions)


def test_karpenter_supports_the_pinned_kubernetes() -> None:
    supported = facts.recorded("karpenter")["kubernetes"]

    assert _minor(supported["from"]) <= _minor(KUBERNETES) <= _minor(supported["to"])


def test_settings_take_no_newer_kubernetes_than_karpenter_does() -> None:
    assert facts.recorded("karpenter")["kubernetes"]["to"] == NEWEST_FOR_KARPENTER


def _minor(version: str) -> int:
    return int(version.partition(".")[2])
