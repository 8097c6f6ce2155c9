"""Copies of the repository in which mistakes are made, and the tests that are run there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.manifests.crds import FOLDER
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parents[2]
_FAILED = re.compile(r"^(?:FAILED|ERROR) ([^\s\[]+)(.*)$", re.MULTILINE)
"""Name of a test, or of a file that could not be collected; and why."""
_RULE = re.compile(r"SettingsError: ([a-z-]+): ")
"""Name of the rule, where the objects were refused before the test could look."""
_NO_PROGRAM = re.compile(r" - (NameError|ImportError|ModuleNotFoundError)\b")
"""Errors of a file that is no program any more: every test notices those, whatever it looks at."""
_SECONDS = 600
_ENOUGH = 3
"""Failures after which pytest need not go on."""


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
            ValueError: the mistake cannot be made any more.
            RuntimeError: the tests could not be run, or what was changed is no program any more.
        """
        with mutant.in_place(self.folder):
            return self.failing(mutant.tests.split())

    def failing(self, tests: Sequence[str]) -> list[str]:
        """Return names of the tests that fail.

        Raises:
            RuntimeError: they could not be run, or what they look at is no program.
        """
        options = ["-q", "-rfE", "--tb=no", f"--maxfail={_ENOUGH}", "-p", "no:cacheprovider"]
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.folder),
            "CRD_DIR": str(FOLDER),
            "COLUMNS": "10000",  # pytest shortens its summary to the terminal
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            env=environment,
        )
        found = _FAILED.findall(done.stdout)
        if done.returncode not in {0, 1, 2} or (done.returncode and not found):
            raise RuntimeError(done.stdout + done.stderr)
        return list(dict.fromkeys(_noticed(test, why) for test, why in found))


def _noticed(test: str, why: str) -> str:
    """Return the rule's name or the test's.

    Raises:
        RuntimeError: neither noticed anything, for there was no program that they could look at.
    """
    if rule := _RULE.search(why):
        return rule[1]
    if "::" not in test or _NO_PROGRAM.search(why):
        raise RuntimeError(f"no program any more: {test}{why}")
    return test


@dataclass(frozen=True)
class Outcome:
    """Mistake of a file, who noticed it, and why nobody could."""

    mutant: Mutant
    caught: Sequence[str] = ()
    broken: str = ""
    """Reason for which the mistake could not be made, or its tests not be run."""


def outcomes(mutants: Sequence[Mutant], copies: Sequence[Copy]) -> Iterator[Outcome]:
    """Make the mistakes, as many at once as there are copies; tell each as soon as it is known."""
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def made(mutant: Mutant) -> Outcome:
        copy = free.get()
        try:
            return Outcome(mutant, copy.failures(mutant))
        except (ValueError, RuntimeError, subprocess.TimeoutExpired) as exc:
            return Outcome(mutant, broken=str(exc))
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as pool:
        for done in as_completed([pool.submit(made, mutant) for mutant in mutants]):
            yield done.result()
