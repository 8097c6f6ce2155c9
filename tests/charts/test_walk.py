"""Values that the chart takes: each changes an object, or is named in its notes to change none."""

import re
from collections.abc import Iterator, Mapping, Set as AbstractSet
from copy import deepcopy
from functools import cache
from typing import Any

import pytest

from cdk.manifests import objects
from models.settings import Settings
from tests.cdk.walk import PAGE
from tests.cdk.walk.changes import BASE, other, put
from tests.cdk.walk.leaves import Leaf, leaves
from tests.charts.generated import NOT_IN_A_CLUSTER
from tests.charts.helm import PROFILE, helm, rendered, values
from tests.charts.test_equal import told

RUNTIME = "modelsRuntime[]"
NOT_ALONE: Mapping[str, Any] = {
    "cluster.volumeKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/0a1b",
    f"{RUNTIME}.nodes.imageCache": "ebs-snapshot",
    f"{RUNTIME}.nodes.instanceTypes": ["g6.12xlarge"],
}
"""Values that fit the others' changes."""
LEFT: Mapping[str, Any] = {
    "front": {},
    "storage.modelBucketKeyArn": None,
    "aws.partition": "aws",
    "ingest.replicas": None,
    f"{RUNTIME}.extraValues": {},
    f"{RUNTIME}.replicas": None,
}
"""Settings whose changes do not fit the others', and which the chart does not use."""


def taken() -> Iterator[Leaf]:
    """Yield the settings that the chart takes; the namespace is Helm's own to say."""
    left = (*NOT_IN_A_CLUSTER, "callbacks.secret", "rayCluster.namespace")
    return (leaf for leaf in leaves() if not leaf.path.startswith(left))


def everything() -> dict[str, Any]:
    """Return a configuration in which every setting has another value."""
    given = {key: value for key, value in deepcopy(BASE).items() if key not in NOT_IN_A_CLUSTER}
    for leaf in taken():
        put(given, leaf.path, NOT_ALONE.get(leaf.path) or other(leaf))
    return given


def named() -> set[str]:
    """Return the settings that the notes name, of a release in which everything is set."""
    args = ("--dry-run=client", "--namespace", "atelier")
    notes = helm("install pictures", values(everything()), *args).partition("NOTES:")[2]
    return {
        re.sub(r"\[\w+\]", "[]", path)
        for path in re.findall(r"^  config\.(\S+)$", notes, re.MULTILINE)
    }


def test_the_chart_renders_every_change_as_the_stack_applies_it() -> None:
    given = everything()
    for path, value in LEFT.items():
        put(given, path, value)
    settings = Settings.read(args=given)
    wanted = told(
        made for made in objects(settings, instance_profile=PROFILE) if made["kind"] != "Namespace"
    )
    found = told(rendered(values(given)).values())

    assert sorted(found - wanted) == sorted(wanted - found) == []


@cache
def changes() -> Mapping[str, AbstractSet[str]]:
    """Return what each setting changes by the settings' page, but for the stack's own resources."""
    rows = re.findall(r"^\| `([^`]+)` \|[^|]*\| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    words = {path: re.findall(r"[^\s`,]+", cell) for path, cell in rows if "no effect" not in cell}
    return {path: {word for word in of if "::" not in word} for path, of in words.items()}


@pytest.fixture(scope="module")
def notes() -> set[str]:
    return named()


@pytest.mark.parametrize("leaf", [pytest.param(leaf, id=leaf.path) for leaf in taken()])
def test_a_value_changes_an_object_or_is_named(leaf: Leaf, notes: set[str]) -> None:
    found = changes().get(leaf.path, set()) - {"edge", "Secret", "Namespace"}
    is_named = any(f"{leaf.path}.".startswith(f"{path}.") for path in notes)
    untranslated = leaf.path == f"{RUNTIME}.extraValues"

    assert is_named == (not found or untranslated), f"{leaf.path}: changes {sorted(found)}"
