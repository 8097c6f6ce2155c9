"""Transfer of single files between this machine and the home, told file by file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.checkpoints.bars import Bar, format_size
from cli.checkpoints.home import Home, StoreError, store_error
from cli.checkpoints.names import Source
from cli.exit_codes import ENDED_BADLY, OK
from models.errors import NameTaken, WeightsError
from models.weights.download import Download, Downloaded
from models.weights.store import WeightFile, WeightStore, Written


async def push_file(
    home: Home, store: WeightStore, source: Source, bar: Bar, *, force: bool
) -> int:
    """Send one file, and say what became of it; return the exit code."""
    try:
        tell = bar(source.name, source.path.stat().st_size)
        written = await store.write(source.name, source.path, replace=force, tell=tell)
    except WeightsError as exc:
        return home.complain(_explained(exc))
    except OSError as exc:
        return home.complain(exc)
    home.out.answer(_pushed(written), f"{source.name}: {_sent(written)}")
    return OK


def _pushed(written: Written) -> Mapping[str, Any]:
    checksum = written.file.checksum
    return {
        "name": written.file.name,
        "size": written.file.size,
        "sent": written.sent,
        "checksum": str(checksum) if checksum else None,
    }


def _sent(written: Written) -> str:
    size = written.file.size
    if not written.sent:
        return "was there already"
    kept = size - written.sent
    return f"sent {format_size(written.sent)}" + (f", {format_size(kept)} was there" * bool(kept))


async def pull_file(home: Home, download: Download, listed: WeightFile, to: Path, bar: Bar) -> int:
    """Fetch one file below a folder, and say what became of it; return the exit code."""
    try:
        file = await download.store.look_up(listed.name)  # with its checksum
        if file is None:
            return home.complain(StoreError(f"{listed.name} is gone", ENDED_BADLY))
        got = await download(file, to / file.name, bar(file.name, file.size))
    except WeightsError as exc:
        return home.complain(_explained(exc))
    except OSError as exc:
        return home.complain(exc)
    home.out.answer(_pulled(file, got), f"{got.path}: {_received(file, got)}")
    return OK


def _pulled(file: WeightFile, got: Downloaded) -> Mapping[str, Any]:
    return {
        "name": file.name,
        "path": str(got.path),
        "size": file.size,
        "received": got.received,
        "checksum": str(got.checksum) if got.checksum else None,
    }


def _received(file: WeightFile, got: Downloaded) -> str:
    if not got.received and file.size:
        return "was there already"
    checked = f"{got.checksum.algorithm} is right" if got.checksum else "no checksum to compare"
    return f"received {format_size(got.received)} of {format_size(file.size)}, {checked}"


def _explained(error: WeightsError) -> StoreError:
    found = store_error(error)
    hint = "; --force replaces it" if isinstance(error, NameTaken) else ""
    return StoreError(f"{found}{hint}", found.code)
