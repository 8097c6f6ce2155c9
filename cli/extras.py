"""Extras of the package: the parts of the command that a plain installation lacks."""

from importlib.util import find_spec

import typer

from cli.exit_codes import USAGE
from cli.output import Output

_BRINGS = {"aws": "boto3", "platform": "ray"}
"""Module by which an extra is recognised as installed."""

TAKES_ANYTHING = {
    "allow_extra_args": True,
    "help_option_names": [],
    "ignore_unknown_options": True,
}
"""Settings of a command that accepts any words, `--help` among them."""


def is_installed(extra: str) -> bool:
    """Tell whether an extra's packages are here, without importing them."""
    return find_spec(_BRINGS[extra]) is not None


def needs_aws(ctx: typer.Context) -> None:
    """Name the extra to install: this command speaks to AWS."""
    Output(as_json=False).complain(lacks(ctx.command_path, "aws"))
    raise typer.Exit(USAGE)


def lacks(command: str, extra: str) -> str:
    """Say which extra a command needs, and how it is installed."""
    return f"`{command}` needs an extra of the package: pip install 'atelier[{extra}]'"
