"""`atelier runtimes`, `atelier checkpoints`: what can be asked for."""

from cli.here import Here


def runtimes(here: Here) -> None:
    """List the configured runtimes, and how they are doing.

    atelier runtimes
    """
    with here.client() as client:
        found = client.runtimes()
    if here.out.as_json:
        for runtime in found:
            here.out.json(runtime)
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
    here.out.table(heads, rows)


def checkpoints(here: Here) -> None:
    """List the weights, and the runtimes that can load them.

    atelier submit "a red circle" --checkpoint shapes
    """
    with here.client() as client:
        found = client.checkpoints()
    if here.out.as_json:
        for checkpoint in found:
            here.out.json(checkpoint)
        return
    here.out.table(("checkpoint", "runtimes"), ((c.name, ", ".join(c.runtimes)) for c in found))


def _known(number: int | None) -> str:
    return "" if number is None else str(number)
