"""`atelier aws destroy`: the platform comes to rest, goes, and what is left is named."""

from collections.abc import Sequence
from typing import Annotated

import typer

from atelier import Misused
from cli.aws.destroy.drain import Drain
from cli.aws.destroy.erase import erase, erase_logs
from cli.aws.destroy.leftovers import Leftover, Leftovers, as_leftover
from cli.aws.errors import AwsError, translated
from cli.aws.installation import Place
from cli.aws.retained import Kept, retained
from cli.aws.stack import Stack
from cli.aws.tools import Tools
from cli.exits import ENDED_BADLY


def destroy(
    place: Place,
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
    stays = list(retained(place.aws, place.settings))
    _agree(place, stays, delete_data=delete_data, yes=yes)
    leftovers = Leftovers(place.aws, place.settings)
    if place.stack.found:
        try:
            _delete(place, drain_seconds=None if now else drain_seconds)
        except AwsError:
            half = Stack(place.aws, place.stack.name).status == "DELETE_FAILED"
            if half and (left := leftovers()):
                _tell(place, stays, left)
            raise
    erase_logs(place.aws, list(leftovers.log_names()))
    if delete_data:
        stays = _without_data(place, stays)
    left = leftovers()
    if delete_data:
        left += [as_leftover(kept) for kept in stays if kept.erasable]
    _tell(place, stays, left)
    if left:
        raise typer.Exit(ENDED_BADLY)


def _agree(place: Place, stays: Sequence[Kept], *, delete_data: bool, yes: bool) -> None:
    """For data, the installation's name is to be typed: a "y" comes too easily."""
    if yes:
        return
    name = place.settings.stack_name
    if delete_data:
        names = "".join(f"\n  {kept.kind} {kept.name}" for kept in stays if kept.erasable)
        question = f"This deletes for good:{names}\nType {name} to go on"
        agreed = typer.prompt(question, err=True) == name
    else:
        agreed = typer.confirm(f"Destroy {name} in {place.aws.region}?", err=True)
    if not agreed:
        raise Misused("nothing was destroyed")


def _delete(place: Place, *, drain_seconds: float | None) -> None:
    """Tasks are taken again if it does not come to the deletion."""
    functions = place.stack.of_type("AWS::Lambda::Function")
    drain = Drain(place.aws, place.settings, place.out.note)
    tools = Tools(environment=place.aws.environment)
    with drain.paused():
        if drain_seconds is not None:
            drain.wait(drain_seconds)
        tools.cdk("destroy", place.stack.name, "--force", config=place.path)
    # Lambda made these for CDK's own functions; a long name of the stack is cut in theirs.
    erase_logs(place.aws, [f"/aws/lambda/{name}" for name in functions])


def _without_data(place: Place, stays: Sequence[Kept]) -> list[Kept]:
    """What was not deleted. The logs of access are the last: deleting the others is one, too."""
    logs = place.settings.access_logs_bucket
    for kept in sorted(stays, key=lambda one: one.name == logs):
        if kept.erasable:
            place.out.note(f"deleting {kept.kind} {kept.name}")
            try:
                with translated():
                    erase(place.aws, kept)
            except AwsError as exc:
                place.out.note(f"{kept.name} stays: {exc}")
    return list(retained(place.aws, place.settings))


def _tell(place: Place, stays: Sequence[Kept], left: Sequence[Leftover]) -> None:
    out = place.out
    if out.as_json:
        kept = [{"kind": one.kind, "name": one.name} for one in stays]
        rest = [{"kind": one.kind, "name": one.name, "remedy": one.remedy} for one in left]
        out.json({"stack": place.stack.name, "kept": kept, "left": rest})
        return
    for one in stays:
        out.line(f"kept: {one.kind} {one.name}")
    for other in left:
        out.line(f"LEFT: {other.kind} {other.name}; {other.remedy}")
    if not left:
        out.line(f"{place.stack.name} is gone, and nothing that costs is left but what was kept")
