"""Policies of upstream's controllers: those of the pinned versions, no more and no less."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

import pytest

from cdk.stack import Platform
from tests.cdk import graph
from tests.cdk.conftest import Synthesized
from tests.cdk.upstream import documented, facts, given
from tests.cdk.upstream.policies import Grant, Statement, grants

LEFT_OUT = {
    "AllowScopedInstanceProfileCreationActions",
    "AllowScopedInstanceProfileTagActions",
    "AllowScopedInstanceProfileActions",
}
"""Statements on instance profiles: for classes that name a role; ours name the stack's profile."""


def test_karpenter_is_allowed_what_its_version_asks_for_and_nothing_else(
    whole: Synthesized, platform: Platform
) -> None:
    """Compare each action, resource and condition with Karpenter's own CloudFormation template."""
    asked = {name: each for name, each in _statements("karpenter").items() if name not in LEFT_OUT}
    wanted = grants([*asked.values()], {})
    ours = grants(given.statements(whole, platform, given.KARPENTER), given.names(platform))

    assert _statements("karpenter").keys() >= LEFT_OUT
    assert len(wanted) > 50
    assert sorted(map(str, wanted - ours)) == [], "is missing"
    assert sorted(map(str, ours - wanted)) == [], "is more than it asks for"


def test_karpenter_is_warned_of_the_events_that_its_version_knows(whole: Synthesized) -> None:
    rules = [each["Properties"] for each in whole.resources("AWS::Events::Rule").values()]
    ours = {
        f"{kind} of {rule['EventPattern']['source'][0]}"
        for rule in rules
        for kind in rule["EventPattern"].get("detail-type", [])
    }

    assert {*facts.recorded("karpenter")["events"]} <= ours


def test_the_load_balancer_controller_is_allowed_nothing_that_its_version_does_not_ask_for(
    whole: Synthesized, platform: Platform
) -> None:
    """A narrower resource is fine; a condition of upstream's stays where the resource does."""
    asked = grants([*_statements("aws-load-balancer-controller").values()], {})
    ours = grants(given.statements(whole, platform, given.BALANCERS), given.names(platform))

    assert len(ours) > 5
    assert [str(each) for each in sorted(ours) if not _is_within(each, asked)] == []


def test_the_load_balancer_controller_registers_with_our_target_group_only(
    whole: Synthesized, platform: Platform
) -> None:
    ours = grants(given.statements(whole, platform, given.BALANCERS), given.names(platform))
    on = {each.resource for each in ours if "Targets" in each.action and "Desc" not in each.action}

    (group,) = whole.resources("AWS::ElasticLoadBalancingV2::TargetGroup")
    assert on == {f"<{group}>"}


@pytest.mark.parametrize("role", documented.ROLES, ids=lambda role: role.path)
def test_an_add_on_is_allowed_what_its_makers_document_but_for_what_is_left_out(
    whole: Synthesized, platform: Platform, role: documented.Role
) -> None:
    ours = given.actions(whole, platform, role.path)

    assert ours == role.actions - role.left_out.keys()
    assert all(role.left_out.values())


def test_the_networks_plugin_has_the_policy_that_is_made_for_it(
    whole: Synthesized, platform: Platform
) -> None:
    role = graph.named(platform, "Cluster/Addons/VpcCni/Role")

    assert graph.actions(whole.json, role) == {documented.NETWORK_POLICY}


def _is_within(ours: Grant, asked: set[Grant]) -> bool:
    return any(
        each.action == ours.action
        and (ours == each or _is_narrower(ours, each))
        and (each.condition in {"{}", ours.condition})
        for each in asked
    )


def _is_narrower(ours: Grant, asked: Grant) -> bool:
    """Tell whether our resource is within the other; one with a name is in any pattern."""
    return ours.resource.startswith("<") or fnmatchcase(ours.resource, asked.resource)


def _statements(name: str) -> Mapping[str, Statement]:
    return dict(facts.statements(facts.recorded(name)))
