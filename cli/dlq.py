"""`atelier dlq list | show | redrive | purge`: dead letters, for operators."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from atelier import DeadLetterView, LetterOutcome, Misused
from cli.command import command
from cli.connection import Connection
from cli.exit_codes import NOT_FOUND, OK
from cli.output import Cell, command_line
from cli.times import format_age, format_time
from models import strict_json

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "Dead letters: messages that a queue gave up, with their reasons. Needs an operator's key."
        " A QUEUE is a runtime's name, results-callbacks, tasks-unrouted or tasks-undelivered."
    ),
)

Queue = Annotated[
    str,
    typer.Argument(
        metavar="QUEUE", help="A runtime's name, or another queue's.", show_default=False
    ),
]
Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID...]", help="Their ids.", show_default=False)
]

_NARROWEST = 100
"""Columns that the table of letters needs to be read."""


@command
def list_(
    connection: Connection,
    queue: Annotated[
        str | None, typer.Argument(metavar="[QUEUE]", help="All queues unless one is named.")
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=100, help="At most so many.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="`next` of the page before.")] = None,
) -> None:
    """List dead letters, the newest first; each is hidden from others while it is looked at.

    atelier dlq list

    atelier dlq list sdruntime --limit 100 --json | jq -r '.letters[].id'
    """
    with connection.client() as client:
        page = client.dead_letters(queue, limit=limit, cursor=cursor)
    out, now = connection.out, time.time()
    if out.as_json:
        out.json(page)
        return
    out.listing(page.letters, _HEADS, lambda letter: _row(letter, now), narrowest=_NARROWEST)
    for found in page.queues:
        if found.waiting:
            out.note(f"{found.name}: about {found.waiting}")
    if page.next:
        words = (queue,) if queue else ()
        next_page = command_line(
            "dlq", "list", *words, "--limit", str(limit), "--cursor", page.next
        )
        out.note(f"more: {next_page}")
    if not page.complete:
        out.note("a queue has more than can be looked at in one call; these are not all")


@command
def show(connection: Connection, queue: Queue, id: str) -> None:  # noqa: A002
    """Show a dead letter: why it is there, and its message, with secrets hidden.

    atelier dlq show sdruntime 0f3b7a52-7d1e-4c55-9a11-2b8c6d4e9f10
    """
    with connection.client() as client:
        letter = client.dead_letter(queue, id)
    if connection.out.as_json:
        connection.out.json(letter)
    else:
        connection.out.pairs(_fields(letter))


@command
def redrive(
    connection: Connection,
    queue: Queue,
    ids: Ids = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="All that are there now.")] = False,
    to: Annotated[
        str | None,
        typer.Option(metavar="RUNTIME", help="To this runtime's queue; else where they came from."),
    ] = None,
    edit: Annotated[
        str | None,
        typer.Option(
            metavar="JSON", help="Change one's message: a JSON merge patch, @FILE, or - for input."
        ),
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="As submissions of their own: drawn though they ended.")
    ] = False,
) -> None:
    """Send dead letters again, to the queue that they came from.

    atelier dlq redrive sdruntime --all

    atelier dlq redrive tasks-unrouted 0f3b7a52-7d1e-4c55-9a11-2b8c6d4e9f10 --to sdruntime
    """
    _refuse_unclear(ids, all_=all_)
    patch = None if edit is None else _patch(edit)
    with connection.client() as client:
        done = client.redrive(queue, ids or (), all=all_, to=to, edit=patch, anew=anew)
    _tell(connection, done)


@command
def purge(
    connection: Connection,
    queue: Queue,
    ids: Ids = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="All that are there now.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before all are deleted.")] = False,
) -> None:
    """Delete dead letters for good.

    atelier dlq purge sdruntime 0f3b7a52-7d1e-4c55-9a11-2b8c6d4e9f10

    atelier dlq purge sdruntime --all --yes
    """
    _refuse_unclear(ids, all_=all_)
    if all_ and not yes:
        _confirm(queue)
    with connection.client() as client:
        done = client.purge(queue, ids or (), all=all_)
    _tell(connection, done)


app.command("list")(list_)
app.command()(show)
app.command()(redrive)
app.command()(purge)

_HEADS = ("id", "queue", "task", "age", "reason")


def _row(letter: DeadLetterView, now: float) -> tuple[str, ...]:
    age = format_age(now - letter.sent)
    return letter.id, letter.queue, letter.task or "", age, letter.reason


def _fields(letter: DeadLetterView) -> Mapping[str, Cell | None]:
    """Return the lines of `show`; None or empty is not printed."""
    return {
        "id": letter.id,
        "queue": letter.queue,
        "reason": letter.reason,
        "task": letter.task,
        "submission": letter.submission,
        "status": letter.status.value if letter.status else None,
        "attempt": None if letter.attempt is None else str(letter.attempt),
        "sent": format_time(letter.sent),
        "received": f"{letter.receives} times",
        "attributes": [f"{name}: {text}" for name, text in letter.attributes.items()],
        "characters": str(letter.size),
        "message": letter.body,
    }


def _refuse_unclear(ids: Sequence[str] | None, *, all_: bool) -> None:
    if all_ == bool(ids):
        raise Misused("give the ids of letters, or --all; not both")


def _confirm(queue: str) -> None:
    if not sys.stdin.isatty():
        raise Misused(f"--all deletes all dead letters of {queue} for good: add --yes")
    if not typer.confirm(f"Delete all dead letters of {queue} for good?", err=True):
        raise typer.Exit(OK)


def _patch(given: str) -> Mapping[str, Any]:
    """Read the option ``--edit``.

    Raises:
        Misused: it is no JSON object.
    """
    try:
        patch = strict_json.read(_text(given))
    except OSError as exc:
        raise Misused(f"--edit: {given[1:]} cannot be read: {exc.strerror}") from None
    except ValueError as exc:
        raise Misused(f"--edit is no JSON: {exc}") from None
    if not isinstance(patch, dict):
        raise Misused('--edit must be a JSON object, such as \'{"content": {"steps": 20}}\'')
    return patch


def _text(given: str) -> str:
    if given == "-":
        return sys.stdin.read()
    return Path(given[1:]).read_text() if given.startswith("@") else given


def _tell(connection: Connection, done: Sequence[LetterOutcome]) -> None:
    """Print the outcomes; end with a code of its own if a letter was missing."""
    for outcome in done:
        task = f" {outcome.task}" if outcome.task else ""
        status = f" (was {outcome.status.value})" if outcome.status else ""
        note = f": {outcome.note}" if outcome.note else ""
        connection.out.answer(outcome, f"{outcome.id}: {outcome.outcome}{task}{status}{note}")
    if not done:
        connection.out.note("there was none")
    if any(outcome.outcome == "missing" for outcome in done):
        raise typer.Exit(NOT_FOUND)
