"""Output of a backend: logged again as the replica's own, the last lines kept."""

import logging
import os
import re
import time
from collections import deque
from collections.abc import Iterator
from typing import IO

log = logging.getLogger("ray.serve.atelier.backend")

_KEPT_LINES = 30
_LONGEST_LINE = 2_000  # bytes
# Lines logged in a second. A backend that writes more is still read: it would block on a full pipe.
_LINES_PER_SECOND = 500
_LINE_ENDS = re.compile(rb"[\r\n]+")  # a progress bar ends its lines with a carriage return
# A terminal's sequences as a whole, then every control character but a tab: what a backend prints,
# of whatever origin, must not colour, erase or forge lines of our log.
_UNPRINTABLE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0a-\x1f\x7f-\x9f]")


class OutputLog:
    """Reads a backend's output to its end; meant for a thread of its own."""

    def __init__(self, runtime: str) -> None:
        self.runtime = runtime
        self.last: deque[str] = deque(maxlen=_KEPT_LINES)
        self._second = 0
        self._logged = 0

    def listen(self, output: IO[bytes]) -> None:
        """Log and keep each line until the output's other end is closed; blocks until then."""
        with output:
            for raw in _lines(output.fileno()):
                line = _UNPRINTABLE.sub("", raw.decode(errors="replace")).strip()
                if line:
                    self.last.append(line)
                    self._log(line)
        self._log_omitted()

    def _log(self, line: str) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._log_omitted()
            self._second, self._logged = second, 0
        self._logged += 1
        if self._logged <= _LINES_PER_SECOND:
            self._write(line)

    def _log_omitted(self) -> None:
        if self._logged > _LINES_PER_SECOND:
            self._write(f"({self._logged - _LINES_PER_SECOND} lines left out)")

    def _write(self, line: str) -> None:
        log.info("[%s] %s", self.runtime, line, extra={"runtime": self.runtime, "line": line})


def _lines(output: int) -> Iterator[bytes]:
    """Yield lines without their ends, a long one cut; the last one may have no end."""
    rest = b""
    # Returns what there is; a buffered read would wait for a line's end or a full buffer.
    while chunk := os.read(output, 65_536):
        *whole, rest = _LINE_ENDS.split(rest + chunk)
        yield from (line[:_LONGEST_LINE] for line in whole)
        rest = rest[:_LONGEST_LINE]  # output without any line end must not fill the memory
    yield rest
