"""Shell completion of names: runtimes, checkpoints, tasks, and weights in their home.

The platform is asked with a short deadline; if it is away or refuses, nothing is offered or said.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from threading import Thread

import typer

from atelier import AtelierError, Client
from cli.connection import Connection

_SECONDS = 1.5
_NEWEST = 50  # tasks
_SAFE = re.compile(r"[\w.,+=@%/-]+")
"""Names that need no quotes in a shell, which inserts completions as they are."""


def runtimes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete names of configured runtimes."""
    return _completions(
        ctx, incomplete, lambda client: (runtime.name for runtime in client.runtimes())
    )


def checkpoints(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete names of checkpoints."""
    return _completions(
        ctx, incomplete, lambda client: (checkpoint.name for checkpoint in client.checkpoints())
    )


def tasks(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete ids of the newest tasks."""
    return _completions(
        ctx, incomplete, lambda client: (task.id for task in client.list(limit=_NEWEST))
    )


def _completions(
    ctx: typer.Context, incomplete: str, ask: Callable[[Client], Iterable[str]]
) -> list[str]:
    return in_time(lambda: _names(ctx, ask), incomplete)


def in_time(source: Callable[[], Iterable[str]], incomplete: str) -> list[str]:
    """Return distinct safe names that begin with ``incomplete``, in their order, by a deadline."""
    names = dict.fromkeys(_names_in_time(source))
    return [name for name in names if name.startswith(incomplete) and _SAFE.fullmatch(name)]


def _names_in_time(source: Callable[[], Iterable[str]]) -> list[str]:
    """Return the names received by the deadline; a server may send byte by byte for ever."""
    found: list[str] = []

    def run() -> None:
        # `extend` appends name by name, so what came before the deadline is there when it ends.
        found.extend(source())

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    # Copied, for the thread may go on; a daemon, it does not keep the command from ending.
    return list(found)


def _names(ctx: typer.Context, ask: Callable[[Client], Iterable[str]]) -> Iterator[str]:
    try:
        endpoint = _connection(ctx).endpoint
        with Client(endpoint.url, endpoint.api_key, timeout=_SECONDS, patience=_SECONDS) as client:
            yield from ask(client)
    except (AtelierError, OSError):
        return


def _connection(ctx: typer.Context) -> Connection:
    """Make the connection that earlier words of the command line, or the environment, name."""

    def said(option: str) -> str | None:
        return ctx.params.get(option) or os.environ.get(f"ATELIER_{option.upper()}")

    return Connection(url=said("url"), api_key=said("api_key"), profile=said("profile"))
