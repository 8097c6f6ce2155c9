"""Start and end the platform's process and all that it starts: none outlives the command.

The process has a session of its own, so that Ctrl-C reaches the command alone, and a folder for
everything that it and Ray write. Whoever it leaves behind becomes a child of the command.
"""

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

_ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER of Linux's prctl
_LOOK_SECONDS = 1.0
_EMULATOR = "the embedded AWS"  # as serve_app.local.up reports it
_SAVE_SECONDS = 5.0
_KILL_SECONDS = 10.0  # the kernel kills no process that waits for a disk
_LONGEST = 16  # characters of a folder in which Ray's socket paths fit
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

News = Mapping[str, Any]
"""A line of the platform's own report on its start: see `serve_app.local.start_report`."""


class Platform:
    """A local platform, which runs from entering the block to leaving it."""

    def __init__(self, args: Sequence[str]) -> None:
        self._args = args
        self._process: subprocess.Popen[bytes] | None = None
        self._parts: dict[str, psutil.Process] = {}
        self._former = frozenset[int]()
        self._wake = -1
        self.home = Path()
        """Folder of the platform's files, which is removed at the end."""
        self.asked_to_stop = 0
        """First signal that asked for the end; 0 before. Later ones change nothing."""

    def __enter__(self) -> Self:
        # First of all: a signal from now on ends the start in order, and leaves no folder behind.
        self._install_signal_handlers()
        # Children from before, as a test's process may have: they are not the platform's.
        self._former = frozenset(
            process.pid for process in psutil.Process().children(recursive=True)
        )
        # Before the start: an orphan goes to the subreaper that there is when its parent ends.
        _adopt_orphans()
        self.home = Path(tempfile.mkdtemp(prefix="atelier-", dir=_short_folder()))
        (self.home / "tmp").mkdir()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
                [sys.executable, "-m", "serve_app.local.up", "--home", str(self.home), *self._args],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                # Python's and Ray's temporary folders, such as pymp-…, are removed with ours.
                env={**os.environ, "TMPDIR": str(self.home / "tmp")},
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Killed before the folder goes, in which whoever lives would go on writing.
        self._end_emulator()
        _kill_all(self._former)
        if self._process is not None and self._process.stdout is not None:
            self._process.wait()
            self._process.stdout.close()
        _remove_folder(self.home)

    @property
    def log(self) -> Path:
        """Log file of what the platform's process, and Ray in it, print."""
        return self.home / "up.log"

    def news(self) -> Iterator[News | None]:
        """Yield the platform's reports, and None for each second without one.

        Ends with the process, or when a signal asked for the end.
        """
        received = b""
        output = self._process.stdout if self._process else None
        while output is not None and not self.asked_to_stop:
            # `select` goes on after a signal's handler (PEP 475); a byte in this pipe ends it.
            watched = [output.fileno(), self._wake]
            ready, _, _ = select.select(watched, [], [], _LOOK_SECONDS)
            if output.fileno() not in ready:
                # All but the platform itself, whose exit code is for `Popen` to fetch.
                _reap(self._former | {self._process.pid} if self._process else self._former)
                yield None
                continue
            if not (more := os.read(output.fileno(), 65536)):
                return
            # The last piece is the beginning of a line, or empty.
            *lines, received = (received + more).split(b"\n")
            yield from map(json.loads, lines)

    def watch(self, part: str, pid: int) -> None:
        """Count a process as a part without which nothing works."""
        with suppress(psutil.NoSuchProcess):
            # psutil compares times of creation: a stranger who gets the pid later is not this part.
            self._parts[part] = psutil.Process(pid)

    def gone(self) -> str | None:
        """Return the name of a part that has ended by itself, if one has."""
        return next((name for name, one in self._parts.items() if not _lives(one)), None)

    def stop(self, seconds: float) -> None:
        """Ask the process to end, and wait up to ``seconds``; leaving the block kills the rest."""
        if self._process is None:
            return
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def _end_emulator(self) -> None:
        """Let the emulator save what it keeps, where nobody has asked it to end.

        It does so when the process that started it ends, and first all end that write to it.
        """
        emulator = self._parts.get(_EMULATOR)
        if self._process is None or emulator is None or not _lives(emulator):
            return
        _kill_all(self._former | {self._process.pid, emulator.pid})
        self._process.kill()
        with suppress(psutil.Error):
            emulator.wait(_SAVE_SECONDS)

    def _install_signal_handlers(self) -> None:
        self._wake, woken = os.pipe()
        # Python demands it: a handler must never wait, be the pipe full.
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        for number in _SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, self._note_signal)

    def _note_signal(self, number: int, _: object) -> None:
        self.asked_to_stop = self.asked_to_stop or number


def _short_folder() -> str | None:
    """Return a folder in which paths of Ray's sockets fit into 107 bytes; None: the usual one."""
    too_long = len(tempfile.gettempdir()) > _LONGEST and Path("/tmp").is_dir()  # noqa: S108
    return "/tmp" if too_long else None  # noqa: S108


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1)


def _lives(process: psutil.Process) -> bool:
    try:
        # A zombie has ended, and is listed until somebody waits for it.
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _reap(but: frozenset[int]) -> None:
    """Reap adopted children that have ended."""
    for child in psutil.Process().children():
        if child.pid not in but:
            with suppress(ChildProcessError):
                os.waitpid(child.pid, os.WNOHANG)


def _kill_all(but: frozenset[int]) -> None:
    """Kill every descendant of this process, and those that they start meanwhile."""
    deadline = time.monotonic() + _KILL_SECONDS
    while (descendants := _descendants(but)) and time.monotonic() < deadline:
        for process in descendants:
            with suppress(psutil.NoSuchProcess):
                # Children of those become ours only when they end, hence the loop.
                process.kill()
        time.sleep(0.02)
        _reap(but)


def _descendants(but: frozenset[int]) -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if process.pid not in but and _lives(process)
    ]


def _remove_folder(home: Path) -> None:
    """Remove the platform's folder; its last processes may still write to it, so retry for 2 s."""
    for _ in range(20):
        shutil.rmtree(home, ignore_errors=True)
        if not home.exists():
            return
        time.sleep(0.1)
