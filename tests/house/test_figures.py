import subprocess
from pathlib import Path
from textwrap import dedent

from tests.house.figures import figures, statements
from tests.house.source import Source, revision, work_tree

CODE = '''\
    """Sums."""

    def total(numbers: list[int]) -> int:
        """Return the sum."""
        found = 0  # noqa: made up
        for n in numbers:
            found += n
        return found

    # Private, and short.
    def _none() -> int:
        return 0  # type: ignore[made-up]
'''
SOURCE = Source("models/sums.py", dedent(CODE))


def test_the_measures_of_a_file_are_counted_by_hand_the_same() -> None:
    assert figures([SOURCE]) == {
        "files": "1",
        "lines": "12",
        "lines of a file: median, p90, max": "12, 12, 12",
        "lines of a function: median, p90, max": "2, 6, 6",
        "lines with a comment": "25.0%",
        "functions that are private": "50.0%",
        "docstrings that open with a refused word": "0.0%",
        "letters of a local name, mean": "3.0",
        "noqa, type: ignore": "1, 1",
        "statements, without docstrings": "7",
    }


def test_docstrings_are_no_statements() -> None:
    assert statements(Source("one.py", 'def one() -> None:\n    """Do it."""\n')) == 1


def test_no_file_at_all_is_measured_too() -> None:
    assert figures([])["lines"] == "0"


def test_a_revision_and_the_work_tree_are_read_from_git(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        named = ["-c", "user.name=one", "-c", "user.email=one@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *named, *arguments], check=True)

    git("init", "--quiet")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "sums.py").write_text("old = 1\n")
    (tmp_path / "README.md").write_text("No Python.\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "Begin")
    (tmp_path / "models" / "sums.py").write_text("new = 2\n")
    (tmp_path / "added.py").write_text("added = 3\n")
    (tmp_path / ".gitignore").write_text("left.py\n")
    (tmp_path / "left.py").write_text("left = 4\n")

    assert revision("HEAD", tmp_path) == [Source("models/sums.py", "old = 1\n")]
    assert work_tree(tmp_path) == [
        Source("added.py", "added = 3\n"),
        Source("models/sums.py", "new = 2\n"),
    ]
