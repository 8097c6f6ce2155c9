"""``python -m tests.docs.arguments MODULE ARGS…``: have the module's own parser read arguments."""

import runpy
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any, NoReturn

import typer
from click.exceptions import ClickException


def _only_parse(self: ArgumentParser, args: Any = None, namespace: Any = None) -> NoReturn:
    """End the program as soon as its arguments were read."""
    del namespace
    known, rest = self.parse_known_args(args)
    assert isinstance(known, Namespace)
    if rest:
        self.error(f"unrecognized arguments: {' '.join(rest)}")
    sys.exit(0)


def _only_read(function: Callable[..., Any]) -> NoReturn:
    """End the program as soon as the arguments of a function that Typer runs were read."""
    app = typer.Typer(add_completion=False)
    app.command()(function)
    command: Any = typer.main.get_command(app)
    try:
        command.make_context(sys.argv[0], sys.argv[1:])
    except ClickException as exc:
        sys.exit(exc.format_message())
    sys.exit(0)


if __name__ == "__main__":
    typer.run = _only_read
    ArgumentParser.parse_args = _only_parse  # type: ignore[method-assign] # ends here
    _, module, *rest = sys.argv
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit(f"{module} reads no arguments")
