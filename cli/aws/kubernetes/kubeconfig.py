"""Access to the cluster for people: `kubeconfig`, `token`, `kubectl`, `helm`."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from atelier import Misused
from cli.aws.installation import Installation
from cli.aws.kubernetes.cluster import TOKEN_SECONDS, token
from cli.aws.sdk import Aws, AwsError, translated
from cli.aws.tools import unpacked_program
from cli.output import Output

_API = "client.authentication.k8s.io/v1"
_LISTS = ("clusters", "users", "contexts")


def kubeconfig(
    installation: Installation,
    file: Annotated[
        Path | None, typer.Option(help="Else that of KUBECONFIG, else ~/.kube/config.")
    ] = None,
) -> None:
    """Let kubectl reach the cluster: write an entry into its configuration, or renew it.

    The token comes from `atelier aws token`, so the AWS command line is not needed.
    """
    path = file or _default()
    entry = kubeconfig_of(installation)
    written = merged(_read(path), entry)
    _write(path, written)
    name = written["current-context"]
    installation.out.answer(
        {"file": str(path), "context": name},
        f"{path}: context {name}; try: kubectl get pods --all-namespaces",
    )


def print_token(
    cluster: Annotated[str, typer.Option(help="The cluster's name.")],
    region: Annotated[str, typer.Option(help="Its region.")],
    profile: Annotated[str | None, typer.Option(help="Who you are.")] = None,
) -> None:
    """Print a token for the cluster, as kubectl asks for one; `kubeconfig` writes the call."""
    # A minute less: kubectl keeps a token until then, and EKS would refuse an old one.
    until = datetime.now(UTC) + timedelta(seconds=TOKEN_SECONDS - 60)
    try:
        with translated():
            signed = token(Aws(region, profile), cluster)
    except AwsError as exc:
        Output(as_json=False).complain(str(exc))
        raise typer.Exit(exc.code) from None
    status = {"expirationTimestamp": until.strftime("%Y-%m-%dT%H:%M:%SZ"), "token": signed}
    credential = {"apiVersion": _API, "kind": "ExecCredential", "spec": {}, "status": status}
    typer.echo(json.dumps(credential))


def kubectl(
    installation: Installation, args: Annotated[list[str], typer.Argument(help="As kubectl's.")]
) -> None:
    """Run kubectl on the cluster: `atelier aws kubectl -- get pods -A`. It comes with atelier."""
    raise typer.Exit(_on_cluster(installation, "kubectl", args))


def helm(
    installation: Installation, args: Annotated[list[str], typer.Argument(help="As helm's.")]
) -> None:
    """Run helm on the cluster: `atelier aws helm -- list -A`. It comes with atelier."""
    raise typer.Exit(_on_cluster(installation, "helm", args))


def kubeconfig_of(installation: Installation) -> Mapping[str, Any]:
    """Make a whole kubeconfig of the installation's cluster alone."""
    name = f"atelier-{installation.settings.names.stack}"
    token_command = [*_command(), "aws", "token", "--cluster", installation.cluster.name]
    token_command += ["--region", installation.settings.aws.region]
    token_command += ["--profile", installation.profile] if installation.profile else []
    exec_ = {
        "apiVersion": _API,
        "command": token_command[0],
        "args": token_command[1:],
        "interactiveMode": "Never",
    }
    cluster = {
        "server": installation.cluster.endpoint,
        "certificate-authority-data": installation.cluster.authority,
    }
    context = {
        "cluster": name,
        "user": name,
        "namespace": installation.settings.ray_cluster.namespace,
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"exec": exec_}}],
        "contexts": [{"name": name, "context": context}],
        "current-context": name,
    }


def merged(config: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """Replace or add the entry in an existing kubeconfig; other entries stay."""
    name = entry["current-context"]
    lists = {
        key: [
            *(other for other in config.get(key) or () if other["name"] != name),
            *entry[key],
        ]
        for key in _LISTS
    }
    return {**config, **entry, **lists}


def _command() -> Sequence[str]:
    """Return the words that start `atelier` from wherever kubectl runs."""
    installed = Path(sys.executable).with_name("atelier")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "cli"]


def _default() -> Path:
    # A list of files, as PATH is.
    first = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    return Path(first) if first else Path.home() / ".kube" / "config"


def _read(path: Path) -> Mapping[str, Any]:
    """Parse a kubeconfig; an empty one if there is no file.

    Raises:
        Misused: the file is no kubeconfig.
    """
    if not path.exists():
        return {}
    try:
        parsed = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as exc:
        raise Misused(f"{path}: {exc}") from None
    if not isinstance(parsed, dict):
        raise Misused(f"{path} is no configuration of kubectl")
    return parsed


def _write(path: Path, written: Mapping[str, Any]) -> None:
    """Write a file atomically, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.touch(mode=0o600)
    part.write_text(yaml.safe_dump(dict(written), sort_keys=False))
    shutil.move(part, path)


def _on_cluster(installation: Installation, program: str, args: Sequence[str]) -> int:
    entry = kubeconfig_of(installation)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config"
        _write(config, entry)
        return os.spawnve(  # noqa: S606 - the terminal is the program's own, for `exec -it`
            os.P_WAIT,
            unpacked_program(program),
            [program, *args],
            {**os.environ, "KUBECONFIG": str(config)},
        )
