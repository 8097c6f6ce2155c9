"""`atelier runtimes`: list what can be asked for, and how it is doing."""

from collections.abc import Sequence

from atelier import RuntimeView
from cli.connection import Connection
from cli.output import Cell

_NARROWEST = 72
"""Columns that the table of runtimes needs to be read."""


def runtimes(connection: Connection) -> None:
    """List the configured runtimes, and how they are doing.

    atelier runtimes
    """
    with connection.client() as client:
        listed = client.runtimes()
    heads = ("runtime", "replicas", "tasks", "a task", "checkpoint", "kinds")
    connection.out.listing(listed, heads, _cells, narrowest=_NARROWEST)
    if not connection.as_json:
        reasons = ((runtime.name, _reason(runtime)) for runtime in listed)
        for line in [f"{name}: {reason}" for name, reason in reasons if reason]:
            connection.out.line(line)


def _cells(runtime: RuntimeView) -> Sequence[Cell]:
    return (
        runtime.name,
        _replicas(runtime),
        _tasks(runtime),
        "" if runtime.seconds_per_task is None else f"{runtime.seconds_per_task:.1f} s",
        (runtime.checkpoint or "") + (" (or another)" if runtime.dynamic else ""),
        [kind.value for kind in runtime.kinds],
    )


def _tasks(runtime: RuntimeView) -> Sequence[str]:
    """Tell how many tasks wait and run, as far as that is known."""
    told = ((_waiting(runtime), "waiting"), (runtime.running, "running"))
    return [f"{number} {what}" for number, what in told if number is not None]


def _waiting(runtime: RuntimeView) -> int | None:
    """Count the tasks that have no GPU yet: in the queue, or received from it."""
    if runtime.leased is None or runtime.running is None:
        return runtime.backlog
    return (runtime.backlog or 0) + max(runtime.leased - runtime.running, 0)


def _replicas(runtime: RuntimeView) -> Sequence[str]:
    """Tell how many replicas run, how many are wanted if that differs, and how many start."""
    if runtime.wanted is None:
        least, most = runtime.min_replicas, runtime.max_replicas
        return [str(runtime.replicas) if least == most else f"{least} to {most}"]
    wanted = "" if runtime.wanted == runtime.replicas else f"{runtime.wanted} wanted"
    starting = f"{runtime.starting} starting" if runtime.starting else ""
    return [str(runtime.replicas), *filter(None, (wanted, starting))]


def _reason(runtime: RuntimeView) -> str:
    """Tell why so many replicas are wanted, and what is in their way."""
    never = "none has started yet" if runtime.never_started else ""
    return "; ".join(filter(None, (runtime.reason, never, runtime.obstacle)))
