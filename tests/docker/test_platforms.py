"""Images are built for the nodes that run them, on a base of their architecture."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from cdk.manifests import objects
from models.names import images
from models.settings import Settings
from tests.docker.builds import BASES, built
from tests.docker.context import DOCKERFILES, ROOT
from tests.docker.dockerfile import AUTOMATIC, Build, image, instructions
from tests.manifests.world import PROFILE, settings

RAY = f"rayproject/ray:{version('ray')}-py311"
OF = {"linux/amd64": RAY, "linux/arm64": f"{RAY}-aarch64"}
MACHINES = ("linux/amd64", "linux/arm64")


def of(system: str, *runtimes: tuple[str, str], **more: Any) -> Settings:
    """Return settings with these system nodes, and runtimes of a type on an instance type."""
    given = [
        {"name": kind, "type": kind, "gpus": 0, "nodes": {"instanceTypes": [instance]}}
        for kind, instance in runtimes
    ]
    return settings(*given, clusterComponents={"instanceType": system}, **more)


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_no_automatic_argument_has_a_default(path: Path) -> None:
    """A default wins over what BuildKit knows of the platform, in whichever scope it stands."""
    given = [i for i in instructions(path.read_text()) if i.keyword == "ARG"]
    defaults = [name for one in given for name, value in one.pairs if value is not None]

    assert not AUTOMATIC & set(defaults)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("extras", ["[platform]", "[diffusers]"])
@pytest.mark.parametrize("platform", OF)
def test_the_head_stands_on_ray_for_its_own_platform(
    platform: str, extras: str, machine: str
) -> None:
    text = (ROOT / "docker" / "head.Dockerfile").read_text()
    found = image(text, Build(platform, machine, {"EXTRAS": extras}))

    assert (found.base, found.platform) == (OF[platform], platform)
    assert found.arguments["EXTRAS"] == extras


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("platform", OF)
def test_a_runtime_stands_on_the_image_that_is_named(platform: str, machine: str) -> None:
    text = (ROOT / "docker" / "runtime.Dockerfile").read_text()
    found = image(text, Build(platform, machine, {"RUNTIME_IMAGE": "mine:1"}))

    assert (found.base, found.platform) == ("mine:1", platform)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("system", "gpu"), [("m7g.large", "g6.2xlarge"), ("m7i.large", "g5g.2xlarge")]
)
def test_a_deployment_builds_each_image_for_its_nodes(system: str, gpu: str, machine: str) -> None:
    """Graviton system nodes beside x86 GPUs, which is the default, and the other way round."""
    wanted = of(system, ("diffusers", gpu), ("comfyui", gpu), ("sdwebui", gpu))
    on_system, on_gpus = (f"linux/{images.architecture(one)}" for one in (system, gpu))
    found = {kind: built(wanted, kind, machine) for kind in images.kinds(wanted)}

    assert {kind: (one.base, one.platform) for kind, one in found.items()} == {
        "head": (OF[on_system], on_system),
        "diffusers": (OF[on_gpus], on_gpus),
        **{kind: (base, on_gpus) for kind, base in BASES.items()},
    }


def test_the_default_deployment_has_its_head_on_graviton() -> None:
    assert built(settings(), images.HEAD).base == OF["linux/arm64"]


@pytest.mark.parametrize(
    ("system", "gpu"), [("m7g.large", "g6.2xlarge"), ("m7i.large", "g5g.2xlarge")]
)
def test_nodes_are_asked_for_with_the_architecture_of_the_image(system: str, gpu: str) -> None:
    """Karpenter's pools; the pool without a GPU takes a second head, or ingest."""
    runtimes = (("comfyui", gpu), ("diffusers", gpu))
    pools = {
        pool["metadata"]["name"]: f"linux/{asked['values'][0]}"
        for pool in objects(of(system, *runtimes), instance_profile=PROFILE)
        if pool["kind"] == "NodePool"
        for asked in pool["spec"]["template"]["spec"]["requirements"]
        if asked["key"] == "kubernetes.io/arch"
    }
    wanted = of(system, *runtimes)

    assert pools == {
        "easel-cpu": built(wanted, images.HEAD).platform,
        **{f"easel-runtime-{kind}": built(wanted, kind).platform for kind, _ in runtimes},
    }
