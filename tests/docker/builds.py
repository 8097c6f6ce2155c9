"""Images as `atelier aws deploy` has them built, read from its own calls of Docker."""

from collections.abc import Iterator
from itertools import pairwise

from cli.aws.deploy.images import Images
from cli.aws.sdk import Aws
from cli.aws.tools import Tools
from models.settings import Settings
from tests.docker.context import ROOT
from tests.docker.dockerfile import Build, Stage, image

BASES = {"comfyui": "mine/comfyui:1", "sdwebui": "mine/sdwebui:1"}


def built(settings: Settings, kind: str, machine: str = "linux/amd64") -> Stage:
    """Return the image of a kind, as Docker on a machine would build it for its nodes."""
    command = Images(Aws(settings.aws.region), settings, Tools(), BASES).build(kind)
    (file,), (platform,) = _given(command, "--file"), _given(command, "--platform")
    arguments = dict(each.split("=", 1) for each in _given(command, "--build-arg"))
    return image((ROOT / file).read_text(), Build(platform, machine, arguments))


def _given(command: list[str], option: str) -> Iterator[str]:
    return (value for name, value in pairwise(command) if name == option)
