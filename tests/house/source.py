"""Python files of the work tree or of a git revision, parsed."""

import ast
import io
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Docstring:
    """Text of a docstring, and the line of its file where it begins."""

    line: int
    text: str


@dataclass(frozen=True)
class Source:
    """Text of a Python file, and its path below the repository's root."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def is_test(self) -> bool:
        return self.path.startswith("tests/")

    @property
    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Functions and methods at any depth."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    @property
    def docstrings(self) -> Iterator[Docstring]:
        """Docstrings of the module, its classes and functions, and of fields and constants.

        The last are strings that stand alone below an assignment, as editors read them, be it in
        an ``if`` or a ``try``.
        """
        for node in ast.walk(self.tree):
            match node:
                case ast.Expr(value=ast.Constant(value=str(text), lineno=line)):
                    yield Docstring(line, text)


def work_tree(folder: Path = ROOT) -> Sequence[Source]:
    """Read the files that git tracks, or would track: new ones that no rule ignores."""
    listed = _git(folder, "ls-files", "--cached", "--others", "--exclude-standard", "*.py")
    paths = sorted({path for path in listed.decode().splitlines() if (folder / path).is_file()})
    return [Source(path, (folder / path).read_text()) for path in paths]


def revision(name: str, folder: Path = ROOT) -> Sequence[Source]:
    """Read the files of a commit, by its hash or any other name that git knows it by.

    Raises:
        CalledProcessError: git knows no such commit.
    """
    packed = _git(folder, "archive", "--format=tar", name, "*.py")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        files = [(member.name, archive.extractfile(member)) for member in archive.getmembers()]
        return [Source(path, file.read().decode()) for path, file in files if file is not None]


def _git(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, stdout=subprocess.PIPE
    ).stdout
