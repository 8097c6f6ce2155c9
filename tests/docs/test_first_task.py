"""The first task of CONTRIBUTING.md, taken step by step in a copy of the repository."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Block, blocks
from tests.mutants.runner import Copy

STEPS = [block for block in blocks("CONTRIBUTING.md") if block.shows == "first task"]
TESTS = "tests/cli/test_main.py"
CODE = "cli/main.py"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Copy.of(ROOT, tmp_path_factory.mktemp("checkout")).folder


def shell(block: Block, checkout: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", block.text],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        check=False,
        capture_output=True,
        text=True,
    )


def changed(diff: str, text: str) -> str:
    """Make the change that the lines of a diff without a head show; it fits in one place."""
    old, new = (
        "".join(f"{line[1:]}\n" for line in diff.splitlines() if line[0] in marks)
        for marks in (" -", " +")
    )
    assert text.count(old) == 1, old
    return text.replace(old, new)


def test_the_steps_lead_from_a_failing_test_to_one_that_passes(checkout: Path) -> None:
    find, test, run, *changes = STEPS
    tests, code = checkout / TESTS, checkout / CODE

    assert CODE in shell(find, checkout).stdout
    tests.write_text(f"{tests.read_text()}\n\n{test.text}")
    assert re.search(r"KeyError.*\n.*1 failed", shell(run, checkout).stdout, re.DOTALL)
    for change in changes:
        code.write_text(changed(change.text, code.read_text()))
    assert "1 passed" in shell(run, checkout).stdout
    for command in (["check"], ["format", "--check"]):
        ruff = [str(ROOT / ".venv" / "bin" / "ruff"), *command, CODE, TESTS]
        assert not subprocess.run(ruff, cwd=checkout, check=False).returncode


def test_the_page_names_the_files_that_are_changed() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()

    assert f"`{TESTS}`" in page
    assert f"`{CODE}`" in page
