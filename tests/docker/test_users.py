"""Pods run as the user that their image is made for, and may write where it writes."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pytest

from cdk.manifests import objects
from models.names import images
from models.settings import Settings
from tests.docker.builds import built
from tests.docker.context import DOCKER, DOCKERFILES
from tests.docker.dockerfile import Build, Stage, image, instructions
from tests.manifests.world import BACKEND, PROFILE, runtime, settings

RUNTIME = (DOCKER / "runtime.Dockerfile").read_text()
SOMEBODYS: Mapping[str, int] = {"valkey": 999}
"""Users of images that are not built here, by their names: Valkey's `8.1/alpine/Dockerfile`, read
in July 2026."""
RAYS_HOME = "/home/ray"
"""Home of user 1000 in Ray's images (`docker/base-deps/Dockerfile`, read in July 2026)."""


@dataclass(frozen=True)
class Container:
    """Container of a pod, as it will run."""

    pod: Mapping[str, Any]
    spec: Mapping[str, Any]

    @property
    def image(self) -> str:
        return str(self.spec["image"])

    @property
    def user(self) -> Any:
        """User of the container, else of its pod."""
        own = self.spec["securityContext"].get("runAsUser")
        return self.pod["securityContext"]["runAsUser"] if own is None else own

    def may_write(self, path: str) -> bool:
        """Tell whether the innermost mount over a path takes writes, or else the image's root."""
        mounts = [
            mount
            for mount in self.spec.get("volumeMounts", ())
            if PurePosixPath(path).is_relative_to(mount["mountPath"])
        ]
        if mounts:
            return not max(mounts, key=lambda one: len(one["mountPath"])).get("readOnly", False)
        return not self.spec["securityContext"].get("readOnlyRootFilesystem", False)


@pytest.fixture(scope="module")
def wanted() -> Settings:
    types = [("diffusers", {}), ("comfyui", BACKEND), ("sdwebui", BACKEND)]
    return settings(*(runtime(name, name, options=options) for name, options in types))


@pytest.fixture(scope="module")
def containers(wanted: Settings) -> list[Container]:
    return list(_containers(objects(wanted, instance_profile=PROFILE)))


@pytest.fixture(scope="module")
def stages(wanted: Settings) -> Mapping[str, Stage]:
    """Images as they are built, by the names by which pods pull them."""
    kinds = images.kinds(wanted)
    return {images.image(wanted, kind): built(wanted, kind) for kind in kinds}


def _containers(made: list[Any]) -> Iterator[Container]:
    for one in made:
        match one["kind"]:
            case "RayService":
                cluster = one["spec"]["rayClusterConfig"]
                for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
                    pod = group["template"]["spec"]
                    yield from (Container(pod, each) for each in pod["containers"])
                head = cluster["headGroupSpec"]["template"]["spec"]
                # KubeRay starts the autoscaler beside the head, from the head's image.
                beside = {"image": head["containers"][0]["image"], **cluster["autoscalerOptions"]}
                yield Container(head, beside)
            case "StatefulSet" | "Deployment" | "DaemonSet" | "Job":
                pod = one["spec"]["template"]["spec"]
                yield from (Container(pod, each) for each in pod["containers"])


def _name(image: str) -> str:
    return image.rpartition("/")[2].partition(":")[0]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_an_images_user_is_a_number_for_kubernetes_cannot_tell_that_a_name_is_not_root(
    path: Any,
) -> None:
    found = image(path.read_text(), Build(arguments={"RUNTIME_IMAGE": "mine:1"}))

    assert int(found.user) > 0


def test_each_container_runs_as_the_user_of_its_image(
    containers: list[Container], stages: Mapping[str, Stage]
) -> None:
    assert {one.image for one in containers} >= stages.keys()
    for one in containers:
        stage = stages.get(one.image)
        user = int(stage.user) if stage else SOMEBODYS[_name(one.image)]
        assert one.user == user, one.image


def test_a_runtimes_user_owns_its_home_and_starts_there() -> None:
    found = image(RUNTIME, Build(arguments={"RUNTIME_IMAGE": "mine:1"}))
    runs = " ".join(one.words for one in instructions(RUNTIME) if one.keyword == "RUN")
    made = dict(re.findall(r"install --directory --owner (\S+) (\S+)", runs))

    assert made == {found.user: found.environment["HOME"]}
    assert found.folder == found.environment["HOME"]
    assert f"useradd --uid {found.user} " in runs


def test_each_container_may_write_where_its_image_does(
    containers: list[Container], stages: Mapping[str, Stage]
) -> None:
    """Home, and Ray's sessions under /tmp; Valkey where it is told to."""
    for one in containers:
        stage = stages.get(one.image)
        home = stage and stage.environment.get("HOME", RAYS_HOME)
        for path in (home, "/tmp") if home else _told_to_write(one):
            assert one.may_write(path), f"{one.image}: {path}"


def _told_to_write(one: Container) -> list[str]:
    args = one.spec["args"]
    return [args[args.index("--dir") + 1]]


def test_kuberay_says_what_a_container_starts(containers: list[Container]) -> None:
    """KubeRay starts `ray start` in the form that install.sh tries, if the pod has no command."""
    rays = [one for one in containers if str(one.spec.get("name")).startswith("ray-")]

    assert len(rays) > len(DOCKERFILES)
    assert not [one for one in rays if {"command", "args", "lifecycle"} & one.spec.keys()]
    assert "ENTRYPOINT []" in RUNTIME


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_an_image_and_its_pods_are_asked_how_they_are_in_the_same_place(
    path: Any, containers: list[Container]
) -> None:
    (check,) = (i.words for i in instructions(path.read_text()) if i.keyword == "HEALTHCHECK")
    url = urlsplit(json.loads(check[check.index("[") :])[-1])
    probes = [one.spec["readinessProbe"] for one in containers if "readinessProbe" in one.spec]
    asked = [probe["httpGet"] for probe in probes if "httpGet" in probe]

    assert asked
    assert all(one == {"path": url.path, "port": url.port} for one in asked)
