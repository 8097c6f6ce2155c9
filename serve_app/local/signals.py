"""Signals of the platform's process: it ends when asked to, and with the command that holds it."""

import ctypes
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def end_with_parent() -> None:
    """Have the kernel ask this process to end when the command that holds it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)


def leave_on_signals() -> None:
    """Leave the process by `SystemExit` at SIGINT and SIGTERM; later ones are ignored."""
    _heed(_leave)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Unwind what was started; a second signal finds that already under way."""
    del number, frame
    _heed(signal.SIG_IGN)
    sys.exit(0)


def _heed(handler: Callable[[int, FrameType | None], Any] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)
