"""Process of a runtime's backend: started, watched, ended.

Knows nothing of what the backend speaks; an adapter says how to ask whether it is ready.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ipaddress import ip_address
from threading import Thread

import httpx

from deployments.backend import process_tree, supervisor
from deployments.backend.output import OutputLog
from models.errors import RuntimeUnavailable
from models.loopback import LOOPBACK, free_port
from models.runtimes.backend import Process

_POLL_SECONDS = 0.2
_KILL_SECONDS = 10.0
_LISTEN_SECONDS = 1.0
_MIB = 2**20
# Variables of the replica's environment that a backend gets. Not the rest: it holds keys of AWS and
# of the API, and a backend runs code of many authors.
_KEPT_NAMES = frozenset(
    {"PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "LD_PRELOAD", "HF_HOME"}
)
_KEPT_PREFIXES = (
    "LC_",
    "CUDA_",
    "NVIDIA_",
    "ROCR_",
    "HIP_",
    "HSA_",
    "OMP_",
    "PYTORCH_",
    "SSL_CERT_",
)
# Each library has a variable of its own; without it, it takes every core that it sees.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Backend:
    """Run of a backend's process, or a server that somebody else runs; never started twice."""

    def __init__(self, process: Process, *, name: str) -> None:
        self.process = process
        self.name = name
        """Name of the runtime."""
        self.url = (process.url or "").rstrip("/")
        self._port = process.port
        self._output = OutputLog(name)
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._listener = Thread(target=self._listen, name=f"backend {name}", daemon=True)

    async def start(self) -> None:
        """Start the process, unless somebody else runs the server; it is not ready yet."""
        if not self.process.command:
            return
        self._port = self._port or free_port(0, "the backend")
        self.url = f"http://{LOOPBACK}:{self._port}"
        self._supervisor = self._started()
        self._listener.start()

    async def ready(self, probe: Callable[[], Awaitable[bool]]) -> None:
        """Wait until the probe is true; False or no connection means not yet.

        Takes ``process.ready_seconds`` at most.

        Raises:
            RuntimeUnavailable: the process ended, did not get ready in time, or listens to the
                network; nothing of it is left.
        """
        try:
            await self._wait_until_ready(probe)
            # The probe may have been answered by another server on this port while ours ended.
            await self.check()
            await asyncio.to_thread(self._check_address)
        # A cancellation, too, must leave no process behind.
        except BaseException:
            await self.close()
            raise

    async def check(self) -> None:
        """Raise if the process has ended; takes 1 s at most, for its last lines.

        Raises:
            RuntimeUnavailable: with its exit code; its last lines of output are a note.
        """
        code = self._supervisor.poll() if self._supervisor else None
        if code is not None:
            # Its last lines are still in the pipe; others' tasks go on meanwhile.
            await asyncio.to_thread(self._listener.join, _LISTEN_SECONDS)
            raise self._unavailable(f"ended with {_ending(code)}")

    def is_bloated(self) -> bool:
        """Tell whether the process holds more memory than it may, with all that it started."""
        limit = self.process.memory_mib
        if limit is None or self._supervisor is None:
            return False
        return process_tree.holds_more_than(limit * _MIB, self._supervisor.pid)

    async def close(self) -> None:
        """End the process and all that it started: ask, then kill.

        Takes ``process.stop_seconds`` and 11 s at most.
        """
        if self._supervisor is not None:
            await asyncio.to_thread(self._end, self._supervisor)

    def _started(self) -> "subprocess.Popen[bytes]":
        command = [word.replace("{port}", str(self._port)) for word in self.process.command]
        return subprocess.Popen(  # noqa: S603 - what the configuration says
            # -I and -S: neither PYTHONPATH, nor this folder, nor site-packages can get between it
            # and the standard library; it starts sooner, too.
            [sys.executable, "-I", "-S", supervisor.__file__, *command],
            env=self._environment(),
            cwd=self.process.folder,
            stdin=subprocess.PIPE,  # never written to: its closing says that we are gone
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C goes to the replica, which closes it
        )

    def _environment(self) -> dict[str, str]:
        kept = {
            k: v for k, v in os.environ.items() if k in _KEPT_NAMES or k.startswith(_KEPT_PREFIXES)
        }
        threads = dict.fromkeys(_THREADS, str(self.process.threads)) if self.process.threads else {}
        # Unbuffered: into a pipe Python writes late, and a crash would take the last lines along.
        # What is configured comes last and wins.
        return {**kept, "PYTHONUNBUFFERED": "1", **threads, **self.process.environment}

    async def _wait_until_ready(self, probe: Callable[[], Awaitable[bool]]) -> None:
        try:
            async with asyncio.timeout(self.process.ready_seconds):
                while not await _answers(probe):
                    await self.check()
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise self._unavailable(f"not ready after {self.process.ready_seconds:g} s") from None

    def _listen(self) -> None:
        if self._supervisor and self._supervisor.stdout:
            self._output.listen(self._supervisor.stdout)

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        process.terminate()  # the supervisor passes the signal on
        with suppress(subprocess.TimeoutExpired):
            process.wait(self.process.stop_seconds)
        if process.stdin:
            process.stdin.close()  # the supervisor kills what is left when this pipe closes
        with suppress(subprocess.TimeoutExpired):
            process.wait(_KILL_SECONDS)
        self._listener.join(_LISTEN_SECONDS)

    def _check_address(self) -> None:
        """Refuse a port that is another's, or that the network reaches; backends ask for no key."""
        if self._supervisor is None:
            return
        addresses = process_tree.addresses(self._supervisor.pid, self._port)
        if not addresses:
            raise self._unavailable(f"another process answers on its port {self._port}")
        if exposed := [ip for ip in addresses if not ip_address(ip).is_loopback]:
            raise self._unavailable(f"listens on {exposed[0]}; let its command name {LOOPBACK}")

    def _unavailable(self, why: str) -> RuntimeUnavailable:
        """Make the error; the last output is a note, for operators and not for a task's sender."""
        exc = RuntimeUnavailable(f"the backend of {self.name}: {why}")
        exc.add_note("\n".join(["its last lines:", *self._output.last]))
        return exc


async def _answers(probe: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await probe()
    # Only this means "not yet": an answer of the wrong kind does not get better by waiting.
    except httpx.TransportError:
        return False


def _ending(code: int) -> str:
    """Describe an exit code, or the signal that a shell would report by it."""
    try:
        return signal.Signals(code - 128 if code > 0 else -code).name
    except ValueError:
        return f"exit code {code}"
