"""Rules that objects must meet among each other, which no schema says: a table, each with a name.

`kuberay` has what KubeRay 1.7 itself refuses; the others what Kubernetes accepts, and what then
waits for ever, costs too much or breaks when a node goes (`node_pools`, `sizes`, `node_classes`,
`pods`, `ingest`), finds no place to write to (`disks`), or is open to others (`isolation`).
"""

from collections.abc import Iterable

from cdk.manifests.base import Manifest
from cdk.manifests.rules import (
    disks,
    ingest,
    isolation,
    kuberay,
    node_classes,
    node_pools,
    pods,
    sizes,
)
from cdk.manifests.rules.rule import Objects, Rule
from models.errors import SettingsError

RULES: tuple[Rule, ...] = (
    *kuberay.RULES,
    *node_pools.RULES,
    *sizes.RULES,
    *node_classes.RULES,
    *pods.RULES,
    *ingest.RULES,
    *disks.RULES,
    *isolation.RULES,
)


def broken(manifests: Iterable[Manifest]) -> list[str]:
    """Return a line for each violation: the rule's name, the object, what is wrong."""
    objects = Objects(list(manifests))
    return [f"{rule.name}: {where}" for rule in RULES for where in rule.broken(objects)]


def check(manifests: Iterable[Manifest]) -> None:
    """Refuse objects that break a rule.

    Raises:
        SettingsError: a rule is broken; the message has all violations, a line each.
    """
    found = broken(manifests)
    if found:
        raise SettingsError("\n".join(found))
