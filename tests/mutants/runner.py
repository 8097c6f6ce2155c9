"""A copy of the repository in which mistakes are made, and the tests that are run there."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.manifests.crds import FOLDER
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parents[2]
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)(?:.*?SettingsError: ([a-z-]+): )?", re.MULTILINE)
"""Name of a test; and of the rule, where the objects were refused before the test could look."""
_SECONDS = 600


@dataclass(frozen=True)
class Copy:
    """Copy of what git knows, and of what it does not ignore."""

    folder: Path

    @classmethod
    def of(cls, root: Path, folder: Path) -> "Copy":
        """Copy a checkout; `node_modules` is linked, for nothing changes it."""
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        files = subprocess.run(listed, cwd=root, check=True, capture_output=True, text=True).stdout
        for name in filter(None, files.split("\0")):
            if (root / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, folder / name)
        for linked in ("node_modules", ".venv"):
            if (root / linked).exists():
                (folder / linked).symlink_to((root / linked).resolve())
        return cls(folder)

    def failures(self, mutant: Mutant) -> list[str]:
        """Return names of the tests that fail with the mistake, or of the rules that refuse it.

        Raises:
            RuntimeError: the tests could not be run.
        """
        with mutant.in_place(self.folder):
            return self._failures(mutant.tests.split())

    def _failures(self, tests: list[str]) -> list[str]:
        command = [sys.executable, "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", *tests]
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.folder),
            "CRD_DIR": str(FOLDER),
            "COLUMNS": "10000",  # pytest shortens its summary to the terminal
        }
        done = subprocess.run(
            command,
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            env=environment,
        )
        if done.returncode not in {0, 1, 2}:
            raise RuntimeError(done.stdout + done.stderr)
        found = list(dict.fromkeys(rule or test for test, rule in _FAILED.findall(done.stdout)))
        if done.returncode and not found:
            raise RuntimeError(done.stdout + done.stderr)
        return found
