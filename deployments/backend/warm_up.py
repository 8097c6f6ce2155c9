"""First task of a replica, run before it is ready, so that the next one finds everything loaded."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from deployments.adapter import Adapter
from models.errors import RuntimeUnavailable, TaskFailed
from models.task import Kind, Task


async def warm_up(adapter: Adapter, kind: Kind, content: Mapping[str, Any] | None) -> None:
    """Run a task with this content and drop its outcome; do nothing if it is None.

    Raises:
        RuntimeUnavailable: the backend is gone, or it refused the content.
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
