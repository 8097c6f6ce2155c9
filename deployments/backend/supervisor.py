"""Supervisor of a backend's process: ends it, with all that it started, when the replica is gone.

A program of its own, on the standard library alone; its arguments are the command. Its standard
input is a pipe whose other end the replica has: however the replica ends, SIGKILL included, the
pipe closes. The kernel's signal at a parent's death is not enough: it goes by the thread that
started the child, and a grandchild does not get it.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER
_NOT_STARTED = 127  # as a shell says it
_POLL_SECONDS = 1.0  # between looks at the parent, should the pipe stay open
_KILL_SECONDS = 0.01  # a process with much memory takes a while to go
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(command: list[str]) -> int:
    """Run the command until it ends or the replica is gone; return its status, or 128 + signal."""
    wake = _heed_children()
    _prctl(_ADOPT_ORPHANS, 1)  # a grandchild that left its group is still found
    die_with_us = partial(_prctl, _DIE_WITH_PARENT, signal.SIGKILL)  # should we be killed
    try:
        backend = subprocess.Popen(  # noqa: S603 - what the configuration says
            command,
            stdin=subprocess.DEVNULL,
            process_group=0,  # one signal reaches the backend and what it started
            preexec_fn=die_with_us,  # noqa: PLW1509 - there is one thread
        )
    except OSError as exc:
        print(f"cannot start {command[0]}: {exc.strerror}", file=sys.stderr)  # noqa: T201
        return _NOT_STARTED
    for number in _PASSED_ON:
        signal.signal(number, lambda number, _: _signal(-backend.pid, number))
    status = _watch(backend.pid, wake)
    _end(backend.pid)
    return 128 - status if status < 0 else status  # as a shell tells a signal


def _heed_children() -> int:
    """Return a pipe that is readable once a child has ended; undo the replica's signal settings."""
    # A blocked signal stays blocked across fork and exec, down to the backend.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # Python goes on with `select` after a signal (PEP 475), so a handler alone does not end it: the
    # pipe does. Without a handler SIGCHLD is dropped, and nothing is written to the pipe.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)  # demanded by set_wakeup_fd; a full pipe wakes as well
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    return wake


def _watch(backend: int, wake: int) -> int:
    """Wait until the backend has ended or the replica is gone; return the backend's exit code."""
    replica, pipe = os.getppid(), sys.stdin.fileno()
    while os.getppid() == replica:  # a fork of the replica may keep the pipe open
        ready, _, _ = select.select([pipe, wake], [], [], _POLL_SECONDS)
        if wake in ready:
            os.read(wake, 4096)
            # All of them: signals of several children may arrive as one.
            ended = dict(_reap())
            if backend in ended:
                return ended[backend]
        if pipe in ready and not os.read(pipe, 4096):
            break
    return -signal.SIGKILL


def _reap() -> Iterator[tuple[int, int]]:
    """Yield each child that has ended, adopted ones included, with its exit code."""
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not child:
            return
        yield child, os.waitstatus_to_exitcode(status)


def _end(backend: int) -> None:
    """Kill the backend's group, then whatever left it, until no descendant is there."""
    _signal(-backend, signal.SIGKILL)
    # Again until none is left: one may have started another between the look and the signal.
    while left := _descendants():
        for process in left:
            _signal(process, signal.SIGKILL)
        time.sleep(_KILL_SECONDS)
        list(_reap())


def _descendants() -> set[int]:
    parents = dict(_parents())
    found = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def _parents() -> Iterator[tuple[int, int]]:
    """Yield each process and its parent; none on a system without ``/proc``."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # "pid (name) state parent …": the name may itself hold blanks and brackets.
            fields = stat.read_bytes().rpartition(b")")[2].split()
        except OSError:  # it has just ended
            continue
        yield int(stat.parent.name), int(fields[1])


def _signal(process: int, number: int) -> None:
    """Send a signal to a process, or to a group if negative; it may have ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(process, number)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
