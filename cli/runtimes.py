"""`atelier runtimes`, `atelier checkpoints`: list what tasks can ask for."""

from cli.connection import Connection


def runtimes(connection: Connection) -> None:
    """List the configured runtimes, and how they are doing.

    atelier runtimes
    """
    with connection.client() as client:
        found = client.runtimes()
    if connection.out.as_json:
        for runtime in found:
            connection.out.json(runtime)
        return
    heads = ("runtime", "kinds", "checkpoint", "waiting", "running", "a task")
    rows = (
        (
            each.name,
            [kind.value for kind in each.kinds],
            (each.checkpoint or "") + (" (or another)" if each.dynamic else ""),
            _known(each.backlog),
            _known(each.running),
            "" if each.seconds_per_task is None else f"{each.seconds_per_task:.1f} s",
        )
        for each in found
    )
    connection.out.table(heads, rows)


def checkpoints(connection: Connection) -> None:
    """List the weights, and the runtimes that can load them.

    atelier submit "a red circle" --checkpoint shapes
    """
    with connection.client() as client:
        found = client.checkpoints()
    if connection.out.as_json:
        for checkpoint in found:
            connection.out.json(checkpoint)
        return
    connection.out.table(
        ("checkpoint", "runtimes"), ((c.name, ", ".join(c.runtimes)) for c in found)
    )


def _known(number: int | None) -> str:
    return "" if number is None else str(number)
