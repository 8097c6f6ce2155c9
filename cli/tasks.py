"""`atelier get`, `list`, `cancel`, `watch`, `save`: commands on tasks that were sent."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from atelier import AtelierError, Client, Misused, Status, TaskView
from cli.completion import runtimes, tasks
from cli.connection import Connection
from cli.downloads import MaxBytes, download_bars, refuse_file
from cli.exit_codes import OK
from cli.follow import Follow
from cli.output import Cell
from cli.times import format_age, format_rough, format_time, parse_time

Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="Its id.", show_default=False, autocompletion=tasks),
]
Ids = Annotated[
    list[str],
    typer.Argument(metavar="ID...", help="Their ids.", show_default=False, autocompletion=tasks),
]
Submission = Annotated[str | None, typer.Option(help="Which sending of that id; else the newest.")]


def get(connection: Connection, id: Id, submission: Submission = None) -> None:  # noqa: A002
    """Say what is known of a task.

    atelier get robot

    atelier get robot --json | jq -r .status
    """
    with connection.client() as client:
        task = client.get(id, submission=submission)
    if connection.out.as_json:
        connection.out.json(task)
    else:
        connection.out.pairs(_fields(task))


def list_(
    connection: Connection,
    *,
    status: Annotated[list[Status] | None, typer.Option(help="Repeatable.")] = None,
    runtime: Annotated[
        list[str] | None, typer.Option(help="Repeatable.", autocompletion=runtimes)
    ] = None,
    key: Annotated[str | None, typer.Option(help="Sent with the API key of this name.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Made after: 90m, 2h, 7d ago, or an ISO date.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Made before.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
) -> None:
    """List tasks, the newest first.

    atelier list --status failed --since 2h

    atelier list --runtime sdruntime --limit 1000 --json | jq -r .id
    """
    now = time.time()
    with connection.client() as client:
        found = client.list(
            status=status or (),
            runtime=runtime or (),
            key=key,
            since=parse_time(since, now),
            until=parse_time(until, now),
            limit=limit,
        )
        # Within the block: pages are fetched while those before are printed.
        connection.out.listing(found, _HEADS, lambda task: _row(task, now))


def cancel(connection: Connection, ids: Ids, submission: Submission = None) -> None:
    """End tasks; what has ended before stays as it is.

    atelier cancel robot
    """
    _refuse_ambiguous(ids, submission)
    with connection.client() as client:
        # `max` goes through all of them, whatever becomes of one.
        raise typer.Exit(max(_cancel(connection, client, id_, submission) for id_ in ids))


def watch(
    connection: Connection,
    ids: Ids,
    *,
    submission: Submission = None,
    save: Annotated[
        Path | None,
        typer.Option(help="Then save their pictures there.", metavar="DIR", callback=refuse_file),
    ] = None,
    max_bytes: MaxBytes = None,
    timeout: Annotated[float, typer.Option(help="The longest wait, in seconds.")] = 3600,
) -> None:
    """Show progress and previews until tasks have ended.

    atelier watch robot

    atelier watch robot --json | jq 'select(.event == "progress") | .data'
    """
    _refuse_ambiguous(ids, submission)
    Follow(
        connection=connection,
        watch=True,
        save=save,
        most=max_bytes,
        timeout=timeout,
        submission=submission,
    )(ids)


def save(
    connection: Connection,
    id: Id,  # noqa: A002
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Made if need be.", callback=refuse_file)
    ] = Path(),
    submission: Submission = None,
    max_bytes: MaxBytes = None,
) -> None:
    """Save a task's pictures, under names of the command's own, over no other file.

    atelier save robot pictures
    """
    with connection.client() as client, download_bars(connection.out) as progress:
        files = client.save(id, folder, submission=submission, most=max_bytes, progress=progress)
    if connection.out.as_json:
        connection.out.json({"id": id, "files": [str(file) for file in files]})
        return
    for file in files:
        connection.out.line(str(file))
    if not files:
        connection.out.note(f"{id} has made nothing yet")


def _cancel(connection: Connection, client: Client, id_: str, submission: str | None) -> int:
    """Cancel a task; return the exit code."""
    try:
        task = client.cancel(id_, submission=submission)
    except AtelierError as exc:
        return connection.complain(exc, id_)
    connection.out.answer(task, f"{task.id}: {task.status.value}")
    return OK


_HEADS = ("id", "status", "kind", "runtime", "age")


def _row(task: TaskView, now: float) -> tuple[str, ...]:
    return task.id, task.status.value, task.kind, task.runtime, format_age(now - task.created)


def _fields(task: TaskView) -> Mapping[str, Cell | None]:
    """Return the lines of `get`; None or empty is not printed."""
    progress, error = task.progress, task.error
    return {
        "id": task.id,
        "submission": task.submission,
        "status": task.status.value,
        "runtime": task.runtime,
        "kind": task.kind,
        "attempt": _count(task.attempt or None),
        "may wait for": None if task.ttl is None else f"{task.ttl:g} s",
        "wanted until": None if task.deadline is None else format_time(task.deadline),
        "now": task.phase,
        "because": task.why,
        "queued behind": _count(task.position),
        "ends in about": None if task.eta_seconds is None else format_rough(task.eta_seconds),
        "progress": f"step {progress.step} of {progress.of}" if progress else None,
        "took": ", ".join(f"{name} {took:.2f} s" for name, took in task.seconds.items()),
        "checkpoint": task.checkpoint,
        "pictures": [artifact.uri for artifact in task.artifacts],
        "answer": task.output.uri if task.output else None,
        "error": f"{error.kind}: {error.message}" if error else None,
        "context": json.dumps(task.context) if task.context else None,
        "made": format_time(task.created),
        "changed": format_time(task.updated),
    }


def _count(number: int | None) -> str | None:
    return None if number is None else str(number)


def _refuse_ambiguous(ids: Sequence[str], submission: str | None) -> None:
    if submission and len(ids) > 1:
        raise Misused("--submission is of one id; give one")
