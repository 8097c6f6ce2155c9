"""`atelier config`: what may stand in config.yaml, and whether what stands there is right."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.exits import USAGE
from cli.out import Out
from models.errors import SettingsError
from models.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Check and describe config.yaml.")


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="The file.")] = Path("config.yaml"),
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Read a configuration; name every mistake by its key, and what is allowed there."""
    out = Out(as_json=as_json)
    try:
        settings = Settings.read(path)
    except SettingsError as exc:
        out.complain(f"{path}:\n{exc}")
        raise typer.Exit(USAGE) from None
    runtimes = {runtime.name: runtime.type for runtime in settings.models_runtime}
    if as_json:
        out.json({"file": str(path), "stack": settings.stack_name, "runtimes": runtimes})
        return
    told = ", ".join(f"{name} ({kind})" for name, kind in runtimes.items())
    out.line(f"{path}: right. Stack {settings.stack_name}, runtimes {told}")


@app.command()
def schema(
    as_json: Annotated[bool, typer.Option("--json", help="It is JSON anyway.")] = False,
) -> None:
    """Print the JSON Schema of config.yaml, for an editor."""
    del as_json
    typer.echo(json.dumps(Settings.model_json_schema(by_alias=True), indent=2))
