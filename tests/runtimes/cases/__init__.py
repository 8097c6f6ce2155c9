"""What the contract test needs of each runtime type: one module a type, found by its name."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import pytest

from deployments.adapter import Adapter
from models.task import Task

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Case:
    """A runtime type at work: its adapter, made ready, and tasks in its own words."""

    adapter: Adapter
    picture: Task
    """For one picture."""
    pictures: Task
    """For several."""
    count: int
    """How many ``pictures`` are."""
    refused: tuple[Task, ...]
    """What the runtime cannot do; also more than its options allow, where they set a limit."""
    missing: Task
    """For a checkpoint that there is not."""
    checkpoints: tuple[str, ...]
    """Those that there are."""
    needs: Mapping[tuple[str, ...], Task]
    """Tasks by the weights files that each needs, as `Adapter.checkpoints` lists them: one of every
    sort that the type knows, one at least. They need not be there."""
    needs_none: Task
    """Task that names no weights file, of a kind for which the runtime's own checkpoint counts."""
    long: Task
    """Goes on for much longer than it takes to stop it."""
    huge: Task
    """For artifacts of many MiB, and many of them where a task may have many."""
    huge_bytes: int
    """Those of its artifacts together, at least."""
    doomed: Task
    """One in the midst of which the backend is lost."""
    kill: Callable[[], None]
    """Kill the backend; in this process, have its device fail."""
    last_words: str
    """What is said of such an end."""
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    """What is behind the links of these tasks."""


OpenCase = Callable[[Path], AbstractAsyncContextManager[Case]]


def open_case(type: str) -> OpenCase:  # noqa: A002 - its name in the configuration
    """The ``case`` of ``tests/runtimes/cases/<type>.py``: from an empty folder to a `Case`."""
    file = HERE / f"{type}.py"
    if not file.exists():
        pytest.fail(
            f"runtime type {type!r} has no case for the contract test: write {file} with an async"
            " context manager `case(folder: Path)` that yields a `tests.runtimes.cases.Case`"
        )
    opened: OpenCase = import_module(f"{__name__}.{type}").case
    return opened
