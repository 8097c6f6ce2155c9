"""Events as JSON lines, for hosts that collect what a container prints.

Serve writes its own log into files of a pod, which go with it.
"""

import logging
from pathlib import Path

from typing_extensions import override

from models import strict_json
from models.errors import SettingsError

EVENTS = "ray.serve.atelier"
"""Name of the logger above all loggers of the platform."""
_OF_PYTHON = frozenset(vars(logging.makeLogRecord({}))) | {"taskName"}


class EventLine(logging.Formatter):
    """Formatter of an event and its fields as one line of JSON."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        fields = {n: value for n, value in vars(record).items() if n not in _OF_PYTHON}
        line = {
            **fields,
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return strict_json.written(line, default=str)


def log_to(path: Path | None) -> None:
    """Write all events of this process to a file, too; a second call for it changes nothing.

    Raises:
        SettingsError: it cannot be opened.
    """
    events = logging.getLogger(EVENTS)
    if path is None or any(handler.name == str(path) for handler in events.handlers):
        return
    try:
        handler = logging.FileHandler(path)
    except OSError as exc:
        raise SettingsError(f"logFile: {path} cannot be written: {exc.strerror}") from None
    handler.name = str(path)
    handler.setFormatter(EventLine())
    events.addHandler(handler)
