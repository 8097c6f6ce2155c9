"""`atelier up`: the platform on this machine."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def up(
    config: Annotated[Path, typer.Option(help="The config.yaml.")] = Path("config.yaml"),
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
