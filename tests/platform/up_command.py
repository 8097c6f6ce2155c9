"""`atelier up` as a process of its own: what it says, how it ends, and what it leaves behind."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

COMMAND = (sys.executable, "-m", "cli", "up", "--aws-port", "0")
_STOP_SECONDS = 60.0


class Started:
    """The command in a process of its own, and what it says."""

    def __init__(self, config: Path, *more: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))  # short, as sockets' paths
        self.process = subprocess.Popen(
            [*COMMAND, "--config", str(config), "--port", "0", *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                "XDG_STATE_HOME": str(config.parent),
                "TMPDIR": str(self.folder),
            },
        )
        self.said: list[str] = []

    def until(self, text: str) -> None:
        """Read on until this was said."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip())
            if text in line:
                return
        raise AssertionError(self.said)

    def ended(self) -> int:
        """Read to the end; the exit code. Nothing is left then."""
        left = psutil.Process(self.process.pid).children(recursive=True)
        assert self.process.stdout is not None
        self.said += [line.rstrip() for line in self.process.stdout]
        code = self.process.wait(timeout=_STOP_SECONDS)
        assert not any(lives(one) for one in left)
        self.folder.rmdir()  # it has nothing in it
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def lives(process: psutil.Process) -> bool:
    """Tell whether a process has not ended; a zombie has."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
