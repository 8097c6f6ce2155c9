"""`atelier aws destroy`: drain, delete the stack, and report what is left."""

from collections.abc import Sequence
from typing import Annotated

import typer

from atelier import Misused
from cli.aws.destroy.drain import Drain
from cli.aws.destroy.erase import erase, erase_logs
from cli.aws.destroy.leftovers import Leftover, Leftovers, as_leftover
from cli.aws.installation import Installation
from cli.aws.retained import Retained, retained
from cli.aws.sdk import AwsError, translated
from cli.aws.stack import Stack
from cli.aws.tools import Tools
from cli.exit_codes import ENDED_BADLY


def destroy(
    installation: Installation,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for tasks to end.")] = False,
    delete_data: Annotated[
        bool,
        typer.Option("--delete-data", help="Delete pictures, weights, ledger and snapshots, too."),
    ] = False,
    drain_seconds: Annotated[float, typer.Option(help="The longest wait for tasks.")] = 3_600,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
) -> None:
    """Destroy the stack: take no new task, let the others end, delete, and look for leftovers.

    Buckets and the ledger stay unless --delete-data is given. Exit code 1: something is left.
    """
    stays = list(retained(installation.aws, installation.settings))
    _confirm(installation, stays, delete_data=delete_data, yes=yes)
    leftovers = Leftovers(installation.aws, installation.settings)
    if installation.stack.found:
        try:
            _delete(installation, drain_seconds=None if now else drain_seconds)
        except AwsError:
            # Described anew: `installation.stack` remembers how the stack was before.
            half = Stack(installation.aws, installation.stack.name).status == "DELETE_FAILED"
            if half and (left := leftovers()):
                _report(installation, stays, left)
            raise
    # Only now: agents and functions make their groups again for as long as they run.
    erase_logs(installation.aws, list(leftovers.log_names()))
    if delete_data:
        stays = _delete_data(installation, stays)
    left = leftovers()
    if delete_data:
        left += [as_leftover(kept) for kept in stays if kept.erasable]
    _report(installation, stays, left)
    if left:
        raise typer.Exit(ENDED_BADLY)


def _confirm(
    installation: Installation, stays: Sequence[Retained], *, delete_data: bool, yes: bool
) -> None:
    """Ask before anything is deleted; for data, the name must be typed."""
    if yes:
        return
    name = installation.settings.stack_name
    if delete_data:
        names = "".join(f"\n  {kept.kind} {kept.name}" for kept in stays if kept.erasable)
        question = f"This deletes for good:{names}\nType {name} to go on"
        agreed = typer.prompt(question, err=True) == name
    else:
        agreed = typer.confirm(f"Destroy {name} in {installation.aws.region}?", err=True)
    if not agreed:
        raise Misused("nothing was destroyed")


def _delete(installation: Installation, *, drain_seconds: float | None) -> None:
    """Drain and delete the stack; tasks are accepted again if it is not deleted."""
    # Listed before: CloudFormation knows a deleted stack by its id alone.
    functions = installation.stack.of_type("AWS::Lambda::Function")
    drain = Drain(installation.aws, installation.settings, installation.out.note)
    tools = Tools(environment=installation.aws.environment)
    with drain.paused():
        if drain_seconds is not None:
            drain.wait(drain_seconds)
        tools.cdk("destroy", installation.stack.name, "--force", config=installation.path)
    # Lambda creates these for CDK's own functions, whose names may cut the stack's short.
    erase_logs(installation.aws, [f"/aws/lambda/{name}" for name in functions])


def _delete_data(installation: Installation, stays: Sequence[Retained]) -> list[Retained]:
    """Delete the data; return what stayed. Access logs go last: deleting others is logged there."""
    logs = installation.settings.names.access_logs_bucket
    for kept in sorted(stays, key=lambda resource: resource.name == logs):
        if kept.erasable:
            installation.out.note(f"deleting {kept.kind} {kept.name}")
            try:
                with translated():
                    erase(installation.aws, kept)
            except AwsError as exc:
                installation.out.note(f"{kept.name} stays: {exc}")
    return list(retained(installation.aws, installation.settings))


def _report(
    installation: Installation, stays: Sequence[Retained], left: Sequence[Leftover]
) -> None:
    out = installation.out
    if out.as_json:
        kept = [{"kind": resource.kind, "name": resource.name} for resource in stays]
        rest = [
            {"kind": resource.kind, "name": resource.name, "remedy": resource.remedy}
            for resource in left
        ]
        out.json({"stack": installation.stack.name, "kept": kept, "left": rest})
        return
    for resource in stays:
        out.line(f"kept: {resource.kind} {resource.name}")
    for leftover in left:
        out.line(f"LEFT: {leftover.kind} {leftover.name}; {leftover.remedy}")
    if not left:
        out.line(
            f"{installation.stack.name} is gone, and nothing that costs is left but what was kept"
        )
