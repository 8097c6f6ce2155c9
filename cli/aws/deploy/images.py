"""Container images in the account's registry: find the missing ones, build and push them."""

from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cli.aws.repositories import Repositories
from cli.aws.sdk import Aws, suppressed
from cli.aws.tools import Tools
from models.names import images
from models.settings import Settings

_MISSING = frozenset({"ImageNotFoundException", "RepositoryNotFoundException"})
_ON_HEAD = {images.HEAD: "[platform]", "fake": "[platform]", "diffusers": "[diffusers]"}
"""Extras of atelier by kind, for images that run no server of their own and stand on the head's."""
NO_BASE = frozenset(_ON_HEAD)
"""Kinds of images that are built on no third-party image."""


@dataclass(frozen=True)
class Images:
    """Images that the installation pulls from its own account's registry."""

    aws: Aws
    settings: Settings
    tools: Tools
    bases: Mapping[str, str] = field(default_factory=dict)
    """Base image of each type, onto which atelier's layer is built."""

    def missing(self) -> list[str]:
        """Return the kinds whose image is not in the registry, such as ``comfyui``."""
        return [kind for kind in images.kinds(self.settings) if not self._has(kind)]

    def baseless(self) -> list[str]:
        """Return the missing kinds that need a base image which nobody has named."""
        return [kind for kind in self.missing() if kind not in {*_ON_HEAD, *self.bases}]

    def push(self, note: Callable[[str], None]) -> None:
        """Build the missing images with Docker and push them; each must have its base image."""
        builds = {kind: self.build(kind) for kind in self.missing()}
        for kind in self.bases:
            if kind not in builds:
                note(f"--base-image {kind}: not used, for its image is there; change images.tag")
        # All before the first build, which takes minutes: what may not be made fails at once.
        for kind in builds:
            Repositories(self.aws, self.settings).make(kind)
        if builds:
            self._sign_in()
        for kind, build in builds.items():
            uri = images.image(self.settings, kind)
            note(f"building {uri}")
            self.tools.run("docker", *build)
            self.tools.run("docker", "push", uri)

    def build(self, kind: str) -> list[str]:
        """Return Docker's arguments to build the image of a kind; its base must be known."""
        platform = f"linux/{images.architecture_of(self.settings, kind)}"
        uri = images.image(self.settings, kind)
        # `buildx` uses the builder that the preflight inspected; `docker build` may use another.
        # --load: else a builder in a container keeps the image, and `docker push` finds none.
        build = ["buildx", "build", "--load", "--platform", platform, "--tag", uri]
        return [*build, *self._arguments(kind), "."]

    def _arguments(self, kind: str) -> list[str]:
        if kind in _ON_HEAD:
            return ["--file", "docker/head.Dockerfile", "--build-arg", f"EXTRAS={_ON_HEAD[kind]}"]
        base = f"RUNTIME_IMAGE={self.bases[kind]}"
        return ["--file", "docker/runtime.Dockerfile", "--build-arg", base]

    def _sign_in(self) -> None:
        """Sign in to the registry.

        The password goes by standard input, where no process list shows it.
        """
        authorization = self.aws.client("ecr").get_authorization_token()["authorizationData"][0]
        user, _, password = b64decode(authorization["authorizationToken"]).decode().partition(":")
        registry = images.registry(self.settings.aws)
        sign_in = ("login", "--username", user, "--password-stdin", registry)
        self.tools.run("docker", *sign_in, given=password)

    def _has(self, kind: str) -> bool:
        with suppressed(*_MISSING):
            found = self.aws.client("ecr").describe_images(
                repositoryName=images.repository(self.settings.names, kind),
                imageIds=[{"imageTag": self.settings.images.tag}],
            )
            return bool(found["imageDetails"])
        return False
