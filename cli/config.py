"""`atelier config`: check config.yaml, and print its JSON Schema."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.exit_codes import USAGE
from cli.output import Output
from models.errors import SettingsError
from models.machine import Machine
from models.settings import Settings, checks
from models.settings.order import out_of_order
from models.settings.unused import unused_anywhere, unused_here, unused_on_aws

app = typer.Typer(no_args_is_help=True, help="Check and describe config.yaml.")


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="The file.")] = Path("config.yaml"),
    *,
    elsewhere: Annotated[
        bool,
        typer.Option(
            "--elsewhere", help="It is for another machine: look for nothing of it on this one."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Check a configuration; name every mistake by its key, and what is allowed there.

    Also what a start would miss here: types, their options, folders, weights, programs, GPUs,
    cores. A configuration for an account of AWS is checked as with --elsewhere. Notes name
    settings that would change nothing there, and those with which tasks may begin out of order.
    """
    out = Output(as_json=as_json)
    try:
        settings = Settings.read(path)
        local = settings.aws.is_local and not elsewhere
        here = Machine.this() if local else None
        checked = checks.check(settings, here)
        checked.refuse()
    except SettingsError as exc:
        message = str(exc)
        out.complain(message if message.startswith(f"{path}: ") else f"{path}:\n{message}")
        raise typer.Exit(USAGE) from None
    notes = [
        *_without_effect(settings, here),
        *out_of_order(settings),
        *(f"not checked: {item}" for item in checked.unchecked),
        *(() if local else _ELSEWHERE),
    ]
    _show(out, path, settings, notes)


_ELSEWHERE = ("not checked: folders, weights, programs and GPUs, for they are on other machines",)


def _without_effect(settings: Settings, here: Machine | None) -> Sequence[str]:
    if not settings.aws.is_local:
        return unused_on_aws(settings)
    return unused_here(settings, here.gpus, here.cores) if here else unused_anywhere(settings)


def _show(out: Output, path: Path, settings: Settings, notes: Sequence[str]) -> None:
    runtimes = {runtime.name: runtime.type for runtime in settings.models_runtime}
    found = {"file": str(path), "stack": settings.stack_name, "runtimes": runtimes}
    listed = ", ".join(f"{name} ({kind})" for name, kind in runtimes.items())
    text = f"{path}: right. Stack {settings.stack_name}, runtimes {listed}"
    out.answer({**found, "notes": list(notes)}, text)
    for note in notes:
        out.note(f"note: {note}")


@app.command()
def schema(
    as_json: Annotated[bool, typer.Option("--json", help="It is JSON anyway.")] = False,
) -> None:
    """Print the JSON Schema of config.yaml, for an editor."""
    del as_json
    typer.echo(json.dumps(Settings.model_json_schema(by_alias=True), indent=2))
