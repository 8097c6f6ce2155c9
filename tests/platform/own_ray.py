"""A Ray of one's own, as a person or a pod starts it: real commands, on loopback, in one folder."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import yaml

from models.loopback import free_port
from tests.platform.conftest import CONFIG, until

ROOT = CONFIG.parent
BIN = Path(sys.prefix) / "bin"
_EMULATOR_SECONDS = 120.0
_STOP_SECONDS = 60.0
_START_SECONDS = 120.0
_STARTED = "Ray runtime started"
_LAST_NAME = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Variable in the last line that the emulator's command prints."""


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder for Ray's sessions, logs and sockets, whose paths must be short."""
    home = Path(tempfile.mkdtemp(prefix="ray-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def shell(home: Path) -> Mapping[str, str]:
    """The environment of somebody who has never used Ray, in this folder."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return kept | {"HOME": str(home), "TMPDIR": str(home), "RAY_TMPDIR": str(home)}


@contextmanager
def emulator(config: Path, home: Path) -> Iterator[Mapping[str, str]]:
    """A shell's environment after it has read what `atelier up --aws-only` prints."""
    exports = home / "ray.env"
    command = [sys.executable, "-m", "cli", "up", "--aws-only", "--aws-port=0"]
    with (
        exports.open("w") as out,
        subprocess.Popen(
            [*command, "--config", str(config)], cwd=ROOT, env=shell(home), stdout=out
        ) as process,
    ):
        try:
            until(lambda: _LAST_NAME in exports.read_text(), _EMULATOR_SECONDS)
            yield _sourced(exports, shell(home))
        finally:
            process.terminate()
            process.wait(timeout=_STOP_SECONDS)


def serve_file(home: Path, port: int, **args: Any) -> Path:
    """The repository's own `serve.yaml`, on this port, with these of the application's ``args``."""
    file: dict[str, Any] = yaml.safe_load((ROOT / "serve.yaml").read_text())
    file["http_options"]["port"] = port
    file["applications"][0]["args"].update(args)
    path = home / "serve.yaml"
    path.write_text(yaml.safe_dump(file))
    return path


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A command of Ray's that stays, until the block ends; then all that it started is killed."""
    # Who is started in the background by a shell ignores it, and so do those whom he starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    program, *args = command
    with (
        log.open("w") as out,
        subprocess.Popen(
            [str(BIN / program), *args],
            cwd=ROOT,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield process
        finally:
            for one in started_by(process):
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            process.kill()


@contextmanager
def ray_head(environment: Mapping[str, str], home: Path, *options: str) -> Iterator[str]:
    """A Ray of one node by `ray start`; its dashboard's URL."""
    port = free_port(0, "the dashboard")
    dashboard = f"http://127.0.0.1:{port}"
    command = ["ray", "start", "--head", "--block", "--port=0", f"--dashboard-port={port}"]
    log = home / "ray.log"
    with running([*command, *options], environment, log) as process:
        until(lambda: process.poll() is not None or _STARTED in log.read_text(), _START_SECONDS)
        assert process.poll() is None, log.read_text()
        yield dashboard


def started_by(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """Return the processes that a process has started, and theirs."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def listening(processes: Iterable[psutil.Process]) -> set[str]:
    """The addresses on which any of them listens."""
    return {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in processes
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }


def done(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command of Ray's that ends by itself and well, and return what it prints."""
    program, *args = command
    ended = subprocess.run(
        [str(BIN / program), *args],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def _sourced(exports: Path, environment: Mapping[str, str]) -> Mapping[str, str]:
    read = subprocess.run(
        ["sh", "-c", '. "$0" && env -0', str(exports)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in read.stdout.split("\0") if line)
