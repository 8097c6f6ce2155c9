"""`atelier aws destroy`: the platform comes to rest, goes, and what is left is named."""

from collections.abc import Sequence
from typing import Annotated

import typer

from atelier import Misused
from cli.aws.drain import Drain
from cli.aws.erase import erase
from cli.aws.leftovers import Leftover, Leftovers, as_leftover
from cli.aws.place import Place
from cli.aws.retained import Kept, retained
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
    if place.stack.found:
        _delete(place, drain_seconds=None if now else drain_seconds)
    if delete_data:
        stays = _without_data(place, stays)
    left = Leftovers(place.aws, place.settings)()
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
    drain = Drain(place.aws, place.settings, place.out.note)
    tools = Tools(environment=place.aws.environment)
    with drain.paused():
        if drain_seconds is not None:
            drain.wait(drain_seconds)
        tools.cdk("destroy", place.stack.name, "--force", config=place.path)


def _without_data(place: Place, stays: Sequence[Kept]) -> list[Kept]:
    """What was not deleted."""
    for kept in stays:
        if kept.erasable:
            place.out.note(f"deleting {kept.kind} {kept.name}")
            erase(place.aws, kept)
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
