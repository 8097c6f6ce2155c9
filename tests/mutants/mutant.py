"""A deliberate mistake: one edit of one file, and the tests that must fail because of it."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """Deliberate mistake in a file of the repository."""

    mistake: str
    """Sentence without a full stop that says what is wrong, such as ``data volume of 2 GiB``."""
    file: str
    """Path in the repository."""
    old: str
    """Text that stands exactly once in the file."""
    new: str
    """Text that takes its place; empty where something is left out."""
    tests: str
    """Paths of the tests that look, as pytest takes them, separated by spaces."""

    def changed(self, text: str) -> str:
        """Return the file's text with the mistake in it.

        Raises:
            ValueError: the text to replace does not stand exactly once, nothing would change, or
                what it makes is no Python.
        """
        if text.count(self.old) != 1 or self.old == self.new:
            raise ValueError(f"{self.file}: {text.count(self.old)} times {self.old!r}")
        changed = text.replace(self.old, self.new)
        if self.file.endswith(".py"):
            _parse(self.file, changed)
        return changed

    @contextmanager
    def in_place(self, root: Path) -> Iterator[None]:
        """Make the mistake in a copy of the repository, for as long as the context lasts."""
        path = root / self.file
        right = path.read_text()
        path.write_text(self.changed(right))
        try:
            yield
        finally:
            path.write_text(right)


def _parse(file: str, source: str) -> None:
    try:
        ast.parse(source)
    except SyntaxError as exc:  # which pytest would count as noticed by every test
        raise ValueError(f"{file}: no Python any more: {exc}") from exc
