"""Signals that end the platform's process: its user's, and the end of the command that holds it."""

import ctypes
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def end_with_parent() -> None:
    """Have the kernel send SIGTERM when the command that holds this process is gone (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)


def leave_on_signals() -> None:
    """Leave the process by `SystemExit` at SIGINT and SIGTERM; later ones are ignored."""
    _heed(_leave)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Leave by `SystemExit`, which unwinds what was started; ignore further signals meanwhile."""
    del number, frame
    _heed(signal.SIG_IGN)
    sys.exit(0)


def _heed(handler: Callable[[int, FrameType | None], Any] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)
