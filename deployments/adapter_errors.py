"""Meaning of what an adapter raises: its task's end, or a runtime that was lost."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from deployments.device_fault import fault_behind
from models.errors import RuntimeUnavailable, TaskFailed, Unavailable
from models.task import Task

log = logging.getLogger("ray.serve.atelier.replica")

_LONGEST = 500
"""Most characters of an error's text that a report quotes."""
_CONNECTION = (
    *(ConnectionError, TimeoutError, socket.gaierror),
    *(httpx.TransportError, asyncio.IncompleteReadError),
)


@contextmanager
def known_errors(task: Task) -> Iterator[None]:
    """Raise what an adapter raises inside as one of the errors that `Adapter.run` may raise.

    An exception that the adapter did not foresee would come again with each attempt, and take the
    next replica's time as well: it ends the task, and the log has it with its traceback.

    Raises:
        TaskFailed: the task was refused, or the adapter failed on it; class and text are told.
        RuntimeUnavailable: the backend is gone, or its device or the connection to it failed.
        Unavailable: the store is away.
    """
    try:
        yield
    except (TaskFailed, RuntimeUnavailable, Unavailable):
        raise
    except Exception as exc:
        if fault := fault_behind(exc):
            raise RuntimeUnavailable(fault.value) from exc
        if isinstance(exc, _CONNECTION):
            raise RuntimeUnavailable(f"lost the connection: {_named(exc)}") from exc
        log.exception("adapter_failed", extra=task.log_context())
        raise TaskFailed(f"the runtime failed on it with {_named(exc)}") from exc


def _named(error: Exception) -> str:
    """Name an error by its class and its text, in one line."""
    text = " ".join(str(error).split())
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return f"{type(error).__name__}: {cut}".removesuffix(": ")
