"""The fault proxy as a process of its own, which shares no lock and no loop with the load."""

import json
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from threading import Lock
from typing import Any

from bench.chaos.rules import Rule
from models.loopback import LOOPBACK

_STOP_SECONDS = 10


class ProxyProcess:
    """Running fault proxy; its methods may be called by any thread."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._lock = Lock()
        self._ports: Mapping[str, int] = self._read()

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables that lead an AWS SDK to the proxy: a port for each service."""
        return {
            f"AWS_ENDPOINT_URL_{service.upper()}": f"http://{LOOPBACK}:{port}"
            for service, port in self._ports.items()
        }

    def set(self, rules: Sequence[Rule] = (), away: Collection[str] = ()) -> Mapping[str, int]:
        """Put these rules and outages in the place of those before.

        Returns how many calls met what so far, by service, operation and fault.
        """
        line = json.dumps({"rules": [asdict(rule) for rule in rules], "away": sorted(away)})
        with self._lock:
            if self._process.stdin is None:
                raise RuntimeError("the fault proxy has no input")
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            return self._read()

    def _read(self) -> Mapping[str, int]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError("the fault proxy has ended")
        told: dict[str, Any] = json.loads(line)
        return told


@contextmanager
def fault_proxy(port: int, seed: int) -> Iterator[ProxyProcess]:
    """Run a fault proxy before the emulator at this port of loopback.

    Raises:
        RuntimeError: it did not start.
    """
    command = [sys.executable, "-m", "bench.chaos.proxy", str(port), str(seed)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield ProxyProcess(process)
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)
