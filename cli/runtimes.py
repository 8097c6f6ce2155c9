"""`atelier runtimes`, `atelier checkpoints`: list what tasks can ask for."""

from collections.abc import Sequence

from atelier import RuntimeView
from cli.connection import Connection
from cli.output import Cell


def runtimes(connection: Connection) -> None:
    """List the configured runtimes, and how they are doing.

    atelier runtimes
    """
    with connection.client() as client:
        listed = client.runtimes()
    heads = ("runtime", "kinds", "checkpoint", "waiting", "running", "a task")
    connection.out.listing(listed, heads, _cells)


def checkpoints(connection: Connection) -> None:
    """List the weights, and the runtimes that can load them.

    atelier submit "a red circle" --checkpoint shapes
    """
    with connection.client() as client:
        found = client.checkpoints()
    connection.out.listing(
        found,
        ("checkpoint", "runtimes"),
        lambda checkpoint: (checkpoint.name, ", ".join(checkpoint.runtimes)),
    )


def _cells(runtime: RuntimeView) -> Sequence[Cell]:
    return (
        runtime.name,
        [kind.value for kind in runtime.kinds],
        (runtime.checkpoint or "") + (" (or another)" if runtime.dynamic else ""),
        _known(runtime.backlog),
        _known(runtime.running),
        "" if runtime.seconds_per_task is None else f"{runtime.seconds_per_task:.1f} s",
    )


def _known(number: int | None) -> str:
    return "" if number is None else str(number)
