"""The `atelier` command."""

import json
import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated

import typer

from models.errors import SettingsError
from models.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Pictures from tasks: one queue, many runtimes.")
config = typer.Typer(no_args_is_help=True, help="Check and describe config.yaml.")
app.add_typer(config, name="config")

Config = Annotated[Path, typer.Option("--config", help="The config.yaml.")]
_DEFAULT = Path("config.yaml")


@app.command()
def up(
    config: Config = _DEFAULT,
    port: Annotated[int, typer.Option(help="HTTP port; 0: a free one.")] = 8000,
    aws_port: Annotated[int, typer.Option(help="Port of the embedded AWS; 0: a free one.")] = 4566,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
    aws_only: Annotated[bool, typer.Option(help="No Ray: print the environment instead.")] = False,
) -> None:
    """Start the platform on this machine: embedded AWS, Ray, Serve. Ctrl-C stops all of it."""
    sys.stdout.flush()
    args = ["--config", str(config), "--port", str(port), "--aws-port", str(aws_port)]
    args += (["--json"] if as_json else []) + (["--aws-only"] if aws_only else [])
    # The command knows no Ray; the platform takes this process over, and with it the signals.
    os.execv(  # noqa: S606 - our own interpreter, our own module
        sys.executable,
        [sys.executable, "-m", "serve_app.up", *args],
    )


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(version_of("atelier"))


@config.command()
def check(path: Annotated[Path, typer.Argument(help="The file.")] = _DEFAULT) -> None:
    """Read a configuration; name every mistake by its key, and what is allowed there."""
    try:
        settings = Settings.read(path)
    except SettingsError as exc:
        typer.secho(f"{path}:\n{exc}", fg="red", err=True)
        raise typer.Exit(2) from None
    runtimes = ", ".join(f"{r.name} ({r.type})" for r in settings.models_runtime)
    typer.echo(f"{path}: right. Stack {settings.stack_name}, runtimes {runtimes}")


@config.command()
def schema() -> None:
    """Print the JSON Schema of config.yaml, for an editor."""
    typer.echo(json.dumps(Settings.model_json_schema(by_alias=True), indent=2))
