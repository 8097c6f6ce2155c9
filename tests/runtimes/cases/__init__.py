"""Cases of the contract test: a module for each runtime type, found by its name."""

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
    """Runtime type at work: its adapter, made ready, and tasks in its own words."""

    adapter: Adapter
    picture: Task
    """Task for one picture."""
    pictures: Task
    """Task for several pictures."""
    count: int
    """Number of pictures of ``pictures``."""
    refused: tuple[Task, ...]
    """Tasks that the runtime refuses; also for more than its options allow, if they set limits."""
    missing: Task
    """Task for a checkpoint that is not there."""
    checkpoints: tuple[str, ...]
    """Checkpoints that are there."""
    needs: Mapping[tuple[str, ...], Task]
    """Tasks by the weights files that each needs, as `Adapter.checkpoints` lists them: one of every
    sort that the type knows, one at least. They need not be there."""
    needs_none: Task
    """Task that names no weights file, of a kind for which the runtime's own checkpoint counts."""
    long: Task
    """Task that runs for much longer than it takes to stop it."""
    huge: Task
    """Task for artifacts of many MiB, and many of them if a task may have many."""
    huge_bytes: int
    """Bytes of its artifacts together, at least."""
    doomed: Task
    """Task in the midst of which the backend is lost."""
    kill: Callable[[], None]
    """Kill the backend; in this process, have its device fail."""
    last_words: str
    """Part of the message about such an end."""
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    """Bytes behind the links of these tasks."""


OpenCase = Callable[[Path], AbstractAsyncContextManager[Case]]


def open_case(type: str) -> OpenCase:  # noqa: A002 - the setting's name
    """Find the ``case`` of ``tests/runtimes/cases/<type>.py``; it makes a `Case` in a folder."""
    file = HERE / f"{type}.py"
    if not file.exists():
        pytest.fail(
            f"runtime type {type!r} has no case for the contract test: write {file} with an async"
            " context manager `case(folder: Path)` that yields a `tests.runtimes.cases.Case`"
        )
    opened: OpenCase = import_module(f"{__name__}.{type}").case
    return opened
