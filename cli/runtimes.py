"""`atelier runtimes`, `atelier checkpoints`: list what tasks can ask for."""

from cli.connection import Connection


def runtimes(connection: Connection) -> None:
    """List the configured runtimes, and how they are doing.

    atelier runtimes
    """
    with connection.client() as client:
        listed = client.runtimes()
    if connection.out.as_json:
        for runtime in listed:
            connection.out.json(runtime)
        return
    heads = ("runtime", "kinds", "checkpoint", "waiting", "running", "a task")
    rows = (
        (
            runtime.name,
            [kind.value for kind in runtime.kinds],
            (runtime.checkpoint or "") + (" (or another)" if runtime.dynamic else ""),
            _known(runtime.backlog),
            _known(runtime.running),
            "" if runtime.seconds_per_task is None else f"{runtime.seconds_per_task:.1f} s",
        )
        for runtime in listed
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
