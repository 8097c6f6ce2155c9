import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import SettingsError
from serve_app.logs import EVENTS, log_to

INSIDE_A_CONTAINER = """
import logging, os, sys
from pathlib import Path
from serve_app.logs import log_to
log_to(Path(f"/proc/{os.getppid()}/fd/1"))
logging.getLogger("ray.serve.atelier.ingest").warning("task_ended", extra={"task": "a"})
"""


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    events = logging.getLogger(EVENTS)
    before = list(events.handlers)
    yield
    for handler in set(events.handlers) - set(before):
        events.removeHandler(handler)
        handler.close()


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_event_is_one_line_with_its_fields(tmp_path: Path) -> None:
    path = tmp_path / "events"
    log_to(path)

    logging.getLogger(f"{EVENTS}.ingest").warning("task_ended", extra={"task": "ä", "n": 3})

    (line,) = lines(path)
    assert (line["message"], line["level"], line["task"], line["n"]) == (
        "task_ended",
        "WARNING",
        "ä",
        3,
    )
    assert not {"args", "msg", "pathname"} & line.keys()


def test_an_error_keeps_its_trace_on_the_same_line(tmp_path: Path) -> None:
    path = tmp_path / "events"
    log_to(path)

    try:
        int("why")
    except ValueError:
        logging.getLogger(EVENTS).exception("broke", extra={"where": path})

    (line,) = lines(path)
    assert "ValueError: invalid literal" in str(line["exception"])
    assert line["where"] == str(path)


def test_asked_twice_it_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "events"
    log_to(path)
    log_to(path)

    logging.getLogger(EVENTS).warning("once")

    assert len(lines(path)) == 1


def test_a_file_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"logFile: .* cannot be written: No such file"):
        log_to(tmp_path / "nowhere" / "events")


def test_it_reaches_what_the_first_process_of_a_container_prints() -> None:
    """Write to a pipe that is the standard output of another process than the one that logs."""
    first = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {INSIDE_A_CONTAINER!r}])"
    )

    printed = subprocess.run(
        [sys.executable, "-c", first], capture_output=True, text=True, check=True
    )

    assert json.loads(printed.stdout)["task"] == "a"
