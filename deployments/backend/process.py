"""A runtime's backend as a process of its own: started, watched, ended.

It knows nothing of what the backend speaks; an adapter says how to ask whether it is ready.
"""

import asyncio
import os
import signal
import socket
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
from models.runtimes.backend import Process

_HOST = "127.0.0.1"
_POLL_SECONDS = 0.2
_KILL_SECONDS = 10.0
_LISTEN_SECONDS = 1.0
_MIB = 2**20
# What a backend is given of the replica's environment. Not the rest: it holds keys of AWS and of
# the API, and a backend runs code of many authors.
_KEPT = frozenset(
    {"PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "LD_PRELOAD", "HF_HOME"}
)
_KEPT_GROUPS = ("LC_", "CUDA_", "NVIDIA_", "ROCR_", "HIP_", "HSA_", "OMP_", "PYTORCH_", "SSL_CERT_")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Backend:
    """One run of the process; one that ended is not started again."""

    def __init__(self, process: Process, *, name: str) -> None:
        self.process = process
        self.name = name
        """Of the runtime."""
        self.url = (process.url or "").rstrip("/")
        self._port = process.port
        self._output = OutputLog(name)
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._listener = Thread(target=self._listen, name=f"backend {name}", daemon=True)

    async def start(self) -> None:
        """Start it, unless somebody else runs it; it is not ready yet."""
        if not self.process.command:
            return
        self._port = self._port or _free_port()
        self.url = f"http://{_HOST}:{self._port}"
        self._supervisor = self._started()
        self._listener.start()

    async def ready(self, probe: Callable[[], Awaitable[bool]]) -> None:
        """Wait until the probe says yes; False or no connection means not yet.

        Raises:
            RuntimeUnavailable: it ended, did not get ready in time, or listens to the network;
                nothing of it is left.
        """
        try:
            await self._answered(probe)
            self.check()
            await asyncio.to_thread(self._check_address)
        except BaseException:
            await self.close()
            raise

    def check(self) -> None:
        """Raise where it has ended.

        Raises:
            RuntimeUnavailable: with its exit code; what it said last is a note.
        """
        code = self._supervisor.poll() if self._supervisor else None
        if code is not None:
            self._listener.join(_LISTEN_SECONDS)  # its last words are in the pipe
            raise self._unavailable(f"ended with {_ending(code)}")

    def is_bloated(self) -> bool:
        """Whether it holds more memory than it may, with all that it started."""
        limit = self.process.memory_mib
        if limit is None or self._supervisor is None:
            return False
        return process_tree.holds_more_than(limit * _MIB, self._supervisor.pid)

    async def close(self) -> None:
        """End it and all that it started: ask, then kill."""
        if self._supervisor is not None:
            await asyncio.to_thread(self._end, self._supervisor)

    def _started(self) -> "subprocess.Popen[bytes]":
        command = [word.replace("{port}", str(self._port)) for word in self.process.command]
        return subprocess.Popen(  # noqa: S603 - what the configuration says
            [sys.executable, "-I", "-S", supervisor.__file__, *command],
            env=self._environment(),
            cwd=self.process.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the one that closes it
        )

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith(_KEPT_GROUPS)}
        threads = dict.fromkeys(_THREADS, str(self.process.threads)) if self.process.threads else {}
        return {**kept, "PYTHONUNBUFFERED": "1", **threads, **self.process.environment}

    async def _answered(self, probe: Callable[[], Awaitable[bool]]) -> None:
        try:
            async with asyncio.timeout(self.process.ready_seconds):
                while not await _answers(probe):
                    self.check()
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise self._unavailable(f"not ready after {self.process.ready_seconds:g} s") from None

    def _listen(self) -> None:
        if self._supervisor and self._supervisor.stdout:
            self._output.listen(self._supervisor.stdout)

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(self.process.stop_seconds)
        if process.stdin:
            process.stdin.close()  # the supervisor kills what is left when this pipe closes
        with suppress(subprocess.TimeoutExpired):
            process.wait(_KILL_SECONDS)
        self._listener.join(_LISTEN_SECONDS)

    def _check_address(self) -> None:
        """Refuse a port that is not its own, or that the network reaches: it asks for no key."""
        if self._supervisor is None:
            return
        heard = process_tree.addresses(self._supervisor.pid, self._port)
        if not heard:
            raise self._unavailable(f"another process answers on its port {self._port}")
        if beyond := [ip for ip in heard if not ip_address(ip).is_loopback]:
            raise self._unavailable(f"listens on {beyond[0]}; let its command name {_HOST}")

    def _unavailable(self, why: str) -> RuntimeUnavailable:
        """What it said last is a note: for who runs it, and not for the sender of a task."""
        exc = RuntimeUnavailable(f"the backend of {self.name}: {why}")
        exc.add_note("\n".join(["its last lines:", *self._output.last]))
        return exc


async def _answers(probe: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await probe()
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _ending(code: int) -> str:
    """The exit code, or the signal that a shell would tell by it."""
    try:
        return signal.Signals(code - 128 if code > 0 else -code).name
    except ValueError:
        return f"exit code {code}"
