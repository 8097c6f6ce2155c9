"""What runtimes with a backend of their own have in common."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from deployments.adapter import Adapter
from models.errors import RuntimeUnavailable, TaskFailed
from models.task import Kind, Task


async def warm_up(adapter: Adapter, kind: Kind, content: Mapping[str, Any] | None) -> None:
    """Run this content once, so that the first task finds everything loaded.

    Raises:
        RuntimeUnavailable: the backend is gone, or it refused.
    """
    if content is None:
        return
    name = adapter.spec.name
    task = Task(submission="warm-up", id="warm-up", runtime=name, kind=kind, content=dict(content))
    try:
        await adapter.load(task)
        async with aclosing(adapter.run(task, {})) as steps:
            async for _ in steps:
                pass
    except TaskFailed as exc:
        raise RuntimeUnavailable(f"{name}: options.warmUp was refused: {exc}") from exc
