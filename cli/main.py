"""The `atelier` command."""

from importlib.metadata import version as version_of
from typing import Annotated

import typer

from cli import config, dlq
from cli.checkpoints import command as checkpoints
from cli.command import command
from cli.cost.command import cost
from cli.exit_codes import EPILOG
from cli.extras import TAKES_ANYTHING, is_installed, needs_aws
from cli.output import Output
from cli.runtimes import runtimes
from cli.submit import submit
from cli.tasks import cancel, get, list_, save, watch
from cli.up import up
from cli.usage_errors import Commands

# Without boto3 these cannot even be imported; words that name the extra stand in their place.
if is_installed("aws"):
    from cli.aws.app import app as aws
    from cli.keys.command import app as keys

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_show_locals=False,  # locals include the API key
    help="Pictures from tasks: one queue, many runtimes.",
    epilog=EPILOG,
)


def _number() -> str:
    return version_of("atelier")


def _show_version(asked: bool) -> None:
    if asked:
        Output(as_json=False).line(f"atelier {_number()}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Parse the options before a command."""
    del version


def version(
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Print the version."""
    Output(as_json=as_json).answer({"version": _number()}, _number())


app.command()(up)
app.command()(command(submit))
app.command()(command(get))
app.command("list")(command(list_))
app.command()(command(watch))
app.command()(command(cancel))
app.command()(command(save))
app.command()(command(runtimes))
app.add_typer(checkpoints.app, name="checkpoints")
app.command()(command(cost))
app.add_typer(dlq.app, name="dlq")
app.add_typer(config.app, name="config")
if is_installed("aws"):
    app.add_typer(keys, name="keys")
    app.add_typer(aws, name="aws")
else:
    app.command("keys", context_settings=TAKES_ANYTHING)(needs_aws)
    app.command("aws", context_settings=TAKES_ANYTHING)(needs_aws)
app.command()(version)
