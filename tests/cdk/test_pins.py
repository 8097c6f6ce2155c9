"""Pinned versions: each says where it was seen, and they fit each other."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import pytest

from cdk import versions
from cdk.versions import CHARTS, PINS, Chart, Pin
from models.addons import ADDONS, KUBERNETES
from models.settings.cloud import Cluster, RayCluster
from tests.manifests import crds

ROOT = Path(__file__).resolve().parents[2]
ALL: Mapping[str, Pin] = {**PINS, **{chart.name: chart for chart in CHARTS}}
IS_OF_ONE_VERSION = re.compile(r"/(?:tree|tag|releases)/")
BUILD = re.compile(r"v\d+\.\d+\.\d+-eksbuild\.\d+")
NAMED = re.compile(r"\b(Karpenter|KubeRay|Bottlerocket|Kubernetes|EKS|Ray) v?(\d+\.\d+)")
EXACT = re.compile(r"(?<![\d.])v?\d+\.\d+\.\d+(?![\d.])")
DEFINITIONS = {
    "karpenter.sh": versions.KARPENTER_CRD,
    "karpenter.k8s.aws": versions.KARPENTER_CRD,
    "autoscaling.x-k8s.io": versions.KARPENTER_CRD,
    "ray.io": versions.KUBERAY,
    "elbv2.k8s.aws": versions.LOAD_BALANCERS,
}
"""Charts that bring the definitions, by API group."""


@pytest.mark.parametrize("name", ALL)
def test_a_pin_says_where_it_was_read_and_when(name: str) -> None:
    pin = ALL[name]

    assert pin.source.startswith("https://")
    assert date.fromisoformat(pin.as_of)


@pytest.mark.parametrize("name", [n for n, p in ALL.items() if IS_OF_ONE_VERSION.search(p.source)])
def test_a_source_of_one_version_is_that_of_the_pinned_one(name: str) -> None:
    """A source of another version would be left from before the pin moved."""
    (version,) = {*EXACT.findall(ALL[name].version)}
    number = version.removeprefix("v")

    assert number in ALL[name].source.replace("-", ".")


def test_every_add_on_and_chart_is_pinned_with_its_source() -> None:
    charts = [each for each in vars(versions).values() if isinstance(each, Chart)]

    assert ADDONS.keys() <= PINS.keys()
    assert charts == [*CHARTS]


@pytest.mark.parametrize("name", ADDONS)
def test_an_add_on_is_named_as_eks_names_its_builds(name: str) -> None:
    """EKS knows ``v1.22.4-eksbuild.3``, and none by upstream's version alone."""
    assert BUILD.fullmatch(ADDONS[name])


def test_the_proxy_is_that_of_the_pinned_kubernetes() -> None:
    assert ADDONS["kube-proxy"].startswith(f"v{KUBERNETES}.")


def test_the_default_cluster_is_of_the_pinned_kubernetes() -> None:
    assert Cluster().version == KUBERNETES
    assert PINS["bottlerocket"].version == Cluster().bottlerocket
    assert PINS["valkey"].version == RayCluster().redis_image


def test_kubectl_is_at_most_one_minor_from_the_cluster() -> None:
    """Kubernetes itself supports no larger distance."""
    source = (ROOT / "cdk" / "cluster.py").read_text()
    (minor,) = {*re.findall(r"\bKubectlV(\d+)Layer\b", source)}

    assert abs(int(minor) - int(KUBERNETES.partition(".")[2])) <= 1


def test_both_charts_of_karpenter_are_of_one_version() -> None:
    assert versions.KARPENTER_CRD.version == versions.KARPENTER.version


@crds.needed
def test_the_definitions_that_manifests_are_judged_by_are_of_the_pinned_versions() -> None:
    found = [path.stem for path in crds.FOLDER.glob("*.yaml")]

    assert len(found) >= 8
    for name in found:
        group, _, rest = name.partition("_")
        assert rest.endswith(f".v{DEFINITIONS[group].version}"), name


def test_no_sentence_of_the_stack_names_another_version_than_the_pinned_one() -> None:
    wanted = {
        "Karpenter": versions.KARPENTER.version,
        "KubeRay": versions.KUBERAY.version,
        "Bottlerocket": Cluster().bottlerocket.removeprefix("v"),
        "Kubernetes": KUBERNETES,
        "EKS": KUBERNETES,
        "Ray": re.findall(r"^ray==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)[0],
    }
    said = [(path, *named) for path, text in _sources() for named in NAMED.findall(text)]

    assert len(said) >= 5
    for path, what, version in said:
        assert f"{wanted[what]}.".startswith(f"{version}."), f"{path}: {what} {version}"


def test_no_exact_version_stands_anywhere_in_the_stack_but_among_the_pins() -> None:
    found = [
        (path, version)
        for path, text in _sources()
        for version in EXACT.findall(text)
        if path != "cdk/versions.py"
    ]

    assert found == []


def _sources() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "cdk").rglob("*.py")):
        yield str(path.relative_to(ROOT)), path.read_text()
