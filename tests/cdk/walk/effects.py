"""Effects of a changed setting on a deployment on AWS, without the template.

A difference in the application's arguments counts only where the application reads the setting.
"""

import json
from collections.abc import Iterator, Mapping, Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from cdk.bundle import ROOT, sources
from cdk.manifests import objects
from cdk.manifests.serve_config import arguments
from cli.aws.deploy.cluster_secret import secret_environment
from models.settings.edge import EdgeConfig
from tests.cdk.walk.changes import Given, read
from tests.cdk.walk.leaves import Leaf
from tests.cdk.walk.reads import Read, read_in

_APPLICATION = (
    *("serve_app", "ingest", "deployments", "models/runtimes", "models/names/routing.py"),
    "models/capacity.py",
)
_EDGE = ("serve_app", "ingest", "models/names/routing.py", "models/runtimes")
"""Files of the edge that use settings, and do not only check them or make names of them."""


@dataclass(frozen=True)
class Deployed:
    """Deployment of a configuration, without the template."""

    objects: Mapping[tuple[str, str], Any]
    """Kubernetes objects by kind and name, without the application's arguments."""
    arguments: Mapping[str, Any]
    edge: Mapping[str, Any]
    edge_settings: Mapping[str, Any]
    secrets: Mapping[str, str]

    @classmethod
    def of(cls, given: Given) -> "Deployed":
        """Build everything of a configuration."""
        settings = read(given)
        made = objects(settings, instance_profile="any")
        for each in made:
            each.get("spec", {}).pop("serveConfigV2", None)
        edge = EdgeConfig.of(settings)
        return cls(
            objects={(each["kind"], each["metadata"]["name"]): each for each in made},
            arguments=_as_read(arguments(settings)),
            edge=edge.model_dump(exclude={"settings"}),
            edge_settings=_as_read(edge.settings),
            secrets=secret_environment(settings),
        )


def _as_read(told: Given) -> Mapping[str, Any]:
    """Read arguments as the application does: a group without a value says nothing."""
    return read(told).model_dump(mode="json")


def effects(leaf: Leaf, before: Given, after: Given) -> AbstractSet[str]:
    """Tell what differs: kinds of objects, the application, the edge, the Secret."""
    return {*_differences(leaf, _deployed(json.dumps(before)), _deployed(json.dumps(after)))}


def alike(before: Given, after: Given) -> bool:
    """Tell whether two configurations deploy the same, apart from the edge's copy of them."""
    old, new = (replace(_deployed(json.dumps(each)), edge_settings={}) for each in (before, after))
    return old == new


@cache
def _deployed(given: str) -> Deployed:
    return Deployed.of(json.loads(given))


def _differences(leaf: Leaf, old: Deployed, new: Deployed) -> Iterator[str]:
    alike = (*leaf.model.__mro__, *leaf.model.__subclasses__())
    asked = {(model.__name__, leaf.field) for model in alike}
    for key in old.objects.keys() | new.objects.keys():
        if old.objects.get(key) != new.objects.get(key):
            yield key[0]
    if old.arguments != new.arguments and asked & _read_in_the_cluster():
        yield "application"
    carried = old.edge_settings != new.edge_settings and asked & _read_at_the_edge()
    if old.edge != new.edge or carried:
        yield "edge"
    if old.secrets != new.secrets:
        yield "Secret"


@cache
def _read_in_the_cluster() -> AbstractSet[Read]:
    return {read for place in _APPLICATION for read in read_in(place)}


@cache
def _read_at_the_edge() -> AbstractSet[Read]:
    files = [path.relative_to(ROOT).as_posix() for path in sources()]
    return {read for file in files if file.startswith(_EDGE) for read in read_in(file)}
