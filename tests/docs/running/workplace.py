"""Workplace of the documents' blocks: a copy of the repository, a shell, a platform."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from atelier import Client, Status, TaskView
from samples.local import LocalPlatform
from tests.docs.pages import ROOT, Block

SECONDS = 120.0
_COPIED = ("docs", "config.yaml", "serve.yaml")
"""Files and folders that blocks may write to; all else of the repository is linked."""
_BEFORE_ACTIVATION = "README.md"
"""The page that says itself how `atelier` comes onto the PATH."""
_SYSTEM = "/usr/local/bin:/usr/bin:/bin"
_SHELL = """\
set -eo pipefail
trap 'export -p > "$STATE"' EXIT
if test -e "$STATE"; then . "$STATE"; fi
"""


class WrongBlock(Exception):
    """A block did not do what its document says."""


@dataclass
class Workplace:
    """A folder with all of the repository in it."""

    folder: Path
    environment: Mapping[str, str]
    platform: LocalPlatform
    said: dict[Block, str] = field(default_factory=dict)
    """Output of each block that was run."""

    @classmethod
    def made(cls, folder: Path, platform: LocalPlatform) -> Self:
        for path in ROOT.iterdir():
            if path.name in _COPIED:
                subprocess.run(["cp", "-r", path, folder], check=True)
            elif not path.name.startswith(".git"):
                (folder / path.name).symlink_to(path)
        (folder / ".curlrc").write_text("fail-with-body\n")  # an answer of 400 and more is an error
        return cls(folder, _environment(folder, platform), platform)

    def shell(self, block: Block) -> None:
        """Run a block by bash; what it exports is there for the page's next one.

        Raises:
            WrongBlock: a command of it failed.
        """
        state = self.folder / f".state-{block.page.replace('/', '-')}"
        environment = {**self.environment, "STATE": str(state)}
        if block.page == _BEFORE_ACTIVATION:
            environment["PATH"] = _SYSTEM
        self._run(block, ["bash", "-c", _SHELL + block.text], environment)

    def python(self, block: Block) -> None:
        """Run a block by Python.

        Raises:
            WrongBlock: it raised an error.
        """
        self._run(block, [sys.executable, "-c", block.text], self.environment)

    def unfinished(self) -> list[TaskView]:
        """The tasks of the platform that wait or run."""
        with self._client() as client:
            return list(client.list(status=[Status.QUEUED, Status.RUNNING]))

    def failed(self) -> dict[str, str]:
        """Return the error of each failed task, by its id."""
        with self._client() as client:
            failed = list(client.list(status=Status.FAILED))
        return {task.id: task.error.message if task.error else "" for task in failed}

    def notification(self, name: str, prefix: str) -> Mapping[str, Any] | None:
        """The notification of the task of this id and prefix, once it has come."""
        place = f"/{prefix}/{name}/"
        return next((t for t in self.platform.notifications() if place in t["output_url"]), None)

    def _client(self) -> Client:
        return Client(self.platform.address["url"], self.platform.address["api_key"])

    def _run(self, block: Block, command: list[str], environment: Mapping[str, str]) -> None:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        if done.returncode:
            raise WrongBlock(f"{block}: ended with {done.returncode}\n{done.stdout}{done.stderr}")
        self.said[block] = done.stdout


def _environment(folder: Path, platform: LocalPlatform) -> Mapping[str, str]:
    """A reader's: `.venv` is active, and `atelier up` has said what signs callbacks."""
    names = ("LANG", "TMPDIR", "OMP_NUM_THREADS")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return kept | {
        "HOME": str(folder),
        "PATH": f"{Path(sys.prefix) / 'bin'}:{_SYSTEM}",
        "PYTHONPATH": str(ROOT),
        "CALLBACK_SECRET": platform.address["callback_secret"],
        "MPLBACKEND": "agg",
    }
