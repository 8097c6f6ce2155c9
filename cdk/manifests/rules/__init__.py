"""What must hold among the objects, and no schema says: a table of rules, each with a name.

`kuberay` has what KubeRay 1.7 itself refuses, `nodes` and `pods` what would be accepted and then
wait for ever, cost too much, or break when a node goes, `disks` what would find no place to write,
`isolation` what would be open.
"""

from collections.abc import Iterable

from cdk.manifests.base import Manifest
from cdk.manifests.rules import disks, kuberay, nodes, pods
from cdk.manifests.rules import isolation as isolation
from cdk.manifests.rules.rule import Objects, Rule
from models.errors import SettingsError

RULES: tuple[Rule, ...] = (
    *kuberay.RULES,
    *nodes.RULES,
    *pods.RULES,
    *disks.RULES,
    *isolation.RULES,
)


def broken(manifests: Iterable[Manifest]) -> list[str]:
    """Each broken rule by its name, with where and why."""
    objects = Objects(list(manifests))
    return [f"{rule.name}: {where}" for rule in RULES for where in rule.broken(objects)]


def check(manifests: Iterable[Manifest]) -> None:
    """Refuse objects that break a rule: what the settings ask for does not work.

    Raises:
        SettingsError: naming each rule, and what breaks it.
    """
    found = broken(manifests)
    if found:
        raise SettingsError("\n".join(found))
