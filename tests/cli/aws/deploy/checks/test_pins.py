"""Checks of pinned versions; no emulator knows them, so botocore's own Stubber answers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from botocore.stub import Stubber

from cli.aws.deploy.checks.pins import addons, bottlerocket
from cli.aws.sdk import Aws
from models.addons import ADDONS
from tests.cli.aws.deploy.checks.conftest import runtime, wanted

Offer = Callable[..., None]
Images = Callable[..., None]


@pytest.fixture
def stubbed(aws: Aws) -> Iterator[Callable[[str], Stubber]]:
    with ExitStack() as stack:
        yield lambda service: stack.enter_context(Stubber(aws.client(service)))


@pytest.fixture
def offer(stubbed: Callable[[str], Stubber]) -> Offer:
    """Let EKS offer each add-on as it is pinned, and those that are named in other versions."""

    def offer(kubernetes: str = "1.36", **other: list[str]) -> None:
        eks = stubbed("eks")
        for name, pinned in ADDONS.items():
            versions = other.get(name.replace("-", "_"), [pinned, "v0.1.0-eksbuild.1"])
            offered = [{"addonVersion": one} for one in versions]
            answer = {"addons": [{"addonName": name, "addonVersions": offered}] if offered else []}
            asked = {"addonName": name, "kubernetesVersion": kubernetes}
            eks.add_response("describe_addon_versions", answer, asked)

    return offer


@pytest.fixture
def images(stubbed: Callable[[str], Stubber]) -> Images:
    """Let SSM have these images of Bottlerocket, and be asked for no others."""

    def images(**there: bool) -> None:
        ssm = stubbed("ssm")
        for variant, has in there.items():
            kind, arch = variant.split("_", 1)
            path = f"/aws/service/bottlerocket/aws-k8s-1.36{'-nvidia' if kind == 'gpu' else ''}"
            asked = {"Name": f"{path}/{arch}/1.68.0/image_id"}
            if has:
                ssm.add_response("get_parameter", {"Parameter": {"Value": "ami-0a"}}, asked)
            else:
                ssm.add_client_error("get_parameter", "ParameterNotFound", expected_params=asked)

    return images


def test_add_ons_that_are_offered_as_pinned_are_there(aws: Aws, offer: Offer) -> None:
    offer()
    (found,) = addons(aws, wanted())

    assert (found.state, found.text) == ("there", "as pinned, for Kubernetes 1.36")


def test_a_pinned_add_on_that_is_not_offered_is_missing(aws: Aws, offer: Offer) -> None:
    """The remedy names the newest, which is not the first by its letters."""
    offer(vpc_cni=["v1.22.4-eksbuild.2", "v1.22.10-eksbuild.1", "v1.22.9-eksbuild.7"])
    (found,) = addons(aws, wanted())

    assert (found.name, found.state) == ("add-on vpc-cni", "missing")
    assert found.text == f"{ADDONS['vpc-cni']} is not offered for Kubernetes 1.36"
    assert "pin v1.22.10-eksbuild.1 in models/addons.py" in found.remedy


def test_an_add_on_that_eks_chooses_itself_is_offered_in_any_version(
    aws: Aws, offer: Offer
) -> None:
    offer("1.35", kube_proxy=["v1.35.0-eksbuild.1"], coredns=["v1.15.0-eksbuild.1"])
    (found,) = addons(aws, _of_kubernetes("1.35"))

    assert found.state == "there"


def test_a_kubernetes_that_has_no_add_on_is_missing(aws: Aws, offer: Offer) -> None:
    offer("1.30", **{name.replace("-", "_"): [] for name in ADDONS})
    found = [*addons(aws, _of_kubernetes("1.30"))]

    assert {one.state for one in found} == {"missing"}
    assert len(found) == len(ADDONS)
    assert found[0].text == "not offered for Kubernetes 1.30"


def test_a_kubernetes_that_eks_does_not_have_is_told_in_its_words(
    aws: Aws, stubbed: Callable[[str], Stubber]
) -> None:
    said = "unsupported Kubernetes version: 1.20"
    stubbed("eks").add_client_error(
        "describe_addon_versions", "InvalidParameterException", service_message=said
    )
    (found,) = addons(aws, _of_kubernetes("1.20"))

    assert (found.state, found.text) == ("missing", said)
    assert found.remedy == "choose another cluster.version"


def test_both_variants_of_bottlerocket_are_looked_for(aws: Aws, images: Images) -> None:
    """Graviton is for the system and what runs beside it, NVIDIA's variant for GPUs."""
    images(cpu_arm64=True, gpu_x86_64=True)

    assert [one.state for one in bottlerocket(aws, wanted())] == ["there"]


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ({"cpu_arm64": True, "gpu_x86_64": False}, "aws-k8s-1.36-nvidia amd64"),
        ({"cpu_arm64": False, "gpu_x86_64": True}, "aws-k8s-1.36 arm64"),
    ],
    ids=["nvidia", "plain"],
)
def test_a_variant_of_bottlerocket_that_is_not_there_is_missing(
    aws: Aws, images: Images, there: Mapping[str, bool], missing: str
) -> None:
    images(**there)
    (found,) = bottlerocket(aws, wanted())

    assert (found.state, found.text) == ("missing", f"v1.68.0 for {missing}")
    assert "cluster.bottlerocket" in found.remedy


def test_each_architecture_of_a_runtimes_nodes_is_looked_for(aws: Aws, images: Images) -> None:
    mixed = runtime(nodes={"instanceTypes": ["g5g.2xlarge", "g6.2xlarge"]})
    images(cpu_arm64=True, gpu_x86_64=True, gpu_arm64=False)
    (found,) = bottlerocket(aws, wanted(modelsRuntime=[mixed]))

    assert found.text == "v1.68.0 for aws-k8s-1.36-nvidia arm64"


def test_a_runtime_without_a_gpu_needs_no_variant_of_nvidias(aws: Aws, images: Images) -> None:
    plain = runtime(type="fake", gpus=0, nodes={"instanceTypes": ["m7i.large"]})
    images(cpu_x86_64=True, cpu_arm64=True)

    assert [one.state for one in bottlerocket(aws, wanted(modelsRuntime=[plain]))] == ["there"]


def _of_kubernetes(version: str) -> Any:
    return wanted(cluster={"version": version})
