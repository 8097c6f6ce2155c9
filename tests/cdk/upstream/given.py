"""Values and roles that our template gives to upstream's software."""

import json
from collections.abc import Mapping
from typing import Any

from cdk.stack import Platform
from tests.cdk import graph
from tests.cdk.conftest import Synthesized

KARPENTER = "Karpenter/Controller/Role"
BALANCERS = "Front/Pods/Controller/Role"
"""Construct paths of the controllers' roles."""


def values(made: Synthesized) -> Mapping[str, dict[str, Any]]:
    """Return the values of other people's charts by release, and of add-ons by name."""
    addons = (each["Properties"] for each in made.resources("AWS::EKS::Addon").values())
    return {
        release: chart["Values"]
        for release, (_, chart) in graph.charts(made).items()
        if "Repository" in chart
    } | {
        addon["AddonName"]: json.loads(addon["ConfigurationValues"])
        for addon in addons
        if "ConfigurationValues" in addon
    }


def statements(made: Synthesized, platform: Platform, role: str) -> list[Mapping[str, Any]]:
    """Return what a role is allowed for itself, by its path among the constructs."""
    return [*graph.statements(made.json, graph.named(platform, role))]


def names(platform: Platform) -> Mapping[str, str]:
    """Return the words that stand for names differing between our template and upstream's."""
    cluster = "arn:<partition>:eks:<region>:<account>:cluster/<cluster>"
    of_stack = {
        f"<{graph.named(platform, 'Cluster/Eks')}.Arn>": cluster,
        f"<{graph.named(platform, 'Karpenter/NodeRole')}.Arn>": "<node role>",
        f"<{graph.named(platform, 'Karpenter/Interruptions')}.Arn>": "<interruptions>",
        "<AWS::Partition>": "<partition>",
    }
    settings = platform.settings
    of_settings = {
        settings.aws.region: "<region>",
        str(settings.aws.account): "<account>",
        settings.stack_name: "<cluster>",
    }
    return of_stack | of_settings


def actions(made: Synthesized, platform: Platform, role: str) -> set[str]:
    """Return what a role may do, without the names of AWS's own policies."""
    found = graph.actions(made.json, graph.named(platform, role))
    return {each for each in found if ":" in each}
