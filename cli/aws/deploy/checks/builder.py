"""Check this machine: Node, the pinned CDK, and a Docker that can build the missing images."""

import re
from collections.abc import Iterator

from cli.aws.deploy.checks.finding import Finding
from cli.aws.deploy.images import Images
from cli.aws.tools import Tools
from models.names.images import architecture_of

_LEAST_NODE = 20
_ELSE = (
    "or push them from elsewhere (docs/deploy.md), or name images.repository or"
    " modelsRuntime[].pod.image"
)


def programs(tools: Tools) -> Iterator[Finding]:
    node = tools.version("node")
    if node is None or int(node.partition(".")[0]) < _LEAST_NODE:
        yield Finding("node", "missing", f"version {node}", "pip install 'atelier[cdk]'")
    else:
        yield Finding("node", "there", node)
    wanted, version = tools.pinned_cdk, tools.version("cdk")
    if version == wanted:
        yield Finding("cdk", "there", version)
    else:
        remedy = f"npm ci, in {tools.root} (or deploy without --skip-tools)"
        yield Finding("cdk", "missing", f"{version or 'none'}, not {wanted}", remedy)


def images(wanted: Images) -> Iterator[Finding]:
    missing = wanted.missing()
    for kind in wanted.baseless():
        remedy = f"name yours: --base-image {kind}=IMAGE:VERSION (docker/README.md)"
        yield Finding(f"image of {kind}", "missing", "it is built on an image of yours", remedy)
    if not missing:
        yield Finding("images", "there", "all")
        return
    kinds = ", ".join(missing)
    platforms = {f"linux/{architecture_of(wanted.settings, kind)}" for kind in missing}
    obstacle = _obstacle(wanted.tools, platforms)
    if obstacle is None:
        yield Finding("images", "note", f"deploy builds {kinds}")
    else:
        text, remedy = obstacle
        yield Finding("images", "missing", f"{kinds}: {text}", f"{remedy}, {_ELSE}")


def _obstacle(tools: Tools, platforms: set[str]) -> tuple[str, str] | None:
    """Return why Docker cannot build for these platforms, and a remedy; None if it can."""
    if not tools.find("docker"):
        return "there is no Docker", "install Docker"
    if tools.output_of("docker", "info") is None:
        return "Docker's daemon does not answer", "start it (`docker info` says why)"
    # --bootstrap starts a builder that does not run: it tells its platforms only then.
    builder = tools.output_of("docker", "buildx", "inspect", "--bootstrap")
    if builder is None:
        return "Docker has no buildx", "install its plugin docker-buildx"
    # Of `linux/amd64*` and `linux/amd64/v2`, too, only system and architecture.
    unsupported = platforms - set(re.findall(r"linux/\w+", builder))
    if not unsupported:
        return None
    emulated = ",".join(sorted(platform.removeprefix("linux/") for platform in unsupported))
    install = f"docker run --privileged --rm tonistiigi/binfmt --install {emulated}"
    return f"Docker here builds nothing for {', '.join(sorted(unsupported))}", f"`{install}`"
