"""Tests of what counts as noticed: a test that looked, not a file that is no program."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from tests.mutants.__main__ import told
from tests.mutants.mutant import Mutant
from tests.mutants.runner import Copy, Outcome

_TEST = """
def test_disk():
    from program import disk

    assert disk() == 20
"""
_AT_IMPORT = "from program import disk\n\ndef test_disk():\n    assert disk() == 20\n"


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copy:
    """Folder of a function and two files that test it; plugins would take seconds."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "program.py").write_text("import re\n\ndef disk():\n    return 20\n")
    (tmp_path / "test_late.py").write_text(_TEST)
    (tmp_path / "test_early.py").write_text(_AT_IMPORT)
    return Copy(tmp_path)


def _mutant(old: str = "20", new: str = "2", tests: str = "test_late.py") -> Mutant:
    return Mutant(mistake="small [disk]", file="program.py", old=old, new=new, tests=tests)


def test_a_mistake_is_noticed_by_the_test_that_fails(copy: Copy) -> None:
    assert copy.failures(_mutant()) == ["test_late.py::test_disk"]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(_mutant("import re", "import rex", "test_early.py"), id="not collected"),
        pytest.param(_mutant("return 20", "return size"), id="no such name"),
    ],
)
def test_a_program_that_is_none_any_more_is_not_noticed_but_refused(
    copy: Copy, broken: Mutant
) -> None:
    with pytest.raises(RuntimeError, match="no program any more"):
        copy.failures(broken)


def test_a_file_that_is_no_python_any_more_is_refused(copy: Copy) -> None:
    with pytest.raises(ValueError, match="no Python any more"):
        copy.failures(_mutant("    return", "return"))


def test_an_outcome_is_printed_before_the_next_mistake_is_made() -> None:
    written = io.StringIO()

    def ended_early() -> Iterator[Outcome]:
        yield Outcome(_mutant(), ["tests/test_program.py::test_disk"])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(told(ended_early(), 9, Console(file=written, width=40)))
    assert written.getvalue() == "1/9 small [disk]: test_disk\n"
