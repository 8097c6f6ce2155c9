"""Terminal of a person, in which the real command runs."""

import os
import pty
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.atelier.served_platform import KEY

ROOT = Path(__file__).resolve().parents[2]
COLOURS = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
SIZE = ("COLUMNS", "LINES")


class Terminal:
    """Command on a screen of so many rows and columns, until the end of the block."""

    def __init__(
        self,
        url: str,
        *args: str | Path,
        rows: int = 24,
        columns: int = 80,
        folder: Path | None = None,
        **environment: str,
    ) -> None:
        self.screen, side = pty.openpty()
        termios.tcsetwinsize(side, (rows, columns))
        # A size in the environment would win over the screen's own.
        known = {name: value for name, value in os.environ.items() if name not in SIZE}
        own = {"ATELIER_URL": url, "ATELIER_API_KEY": KEY, "PYTHONPATH": str(ROOT)}
        self.command = subprocess.Popen(
            [sys.executable, "-m", "cli", *map(str, args)],
            stdin=side,
            stdout=side,
            stderr=side,
            cwd=folder,
            env=known | own | COLOURS | environment,
            start_new_session=True,
        )
        os.close(side)
        self.shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.command.kill()
        self.command.wait()
        os.close(self.screen)

    def until(self, text: str) -> None:
        """Read on until this was shown."""
        while text not in self.shown:
            self.shown += os.read(self.screen, 65536).decode(errors="replace")

    def end(self) -> int:
        """Read to the end; the exit code."""
        with suppress(OSError):  # the other side is closed
            self.until("never shown")
        return self.command.wait(timeout=20)
