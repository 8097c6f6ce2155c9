"""Log of a failed start, kept where it outlives the platform's folder."""

from collections.abc import Iterator
from pathlib import Path

from platformdirs import user_log_path

_MOST = 64 * 1024  # bytes kept of each file, from its end
_OF_RAY = ("gcs_server.*", "raylet.*", "dashboard.log", "serve/*.log")


def keep_log(home: Path) -> Path:
    """Keep the last 64 KiB of each log file of a platform, in place of what was kept before.

    Raises:
        OSError: it cannot be written.
    """
    path = user_log_path("atelier", ensure_exists=True) / "up.log"
    parts = (f"==> {file.relative_to(home)} <==\n{_end(file)}\n" for file in _files(home))
    path.write_text("\n".join(parts))
    return path


def _files(home: Path) -> Iterator[Path]:
    yield from (home / "up.log", home / "aws.log")
    # With the 2 of a year: `session_latest` is a link to one of them, whose files would come twice.
    for session in (home / "ray").glob("session_2*"):
        for pattern in _OF_RAY:
            yield from sorted((session / "logs").glob(pattern))


def _end(file: Path) -> str:
    try:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - _MOST))
            return log.read(_MOST).decode(errors="replace")
    except OSError:
        # Not every part came so far as to have a log, and Ray may take one away while it is read.
        return ""
