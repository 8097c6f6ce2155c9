"""Deliberate mistakes in what is deployed, each with the tests that must notice it.

`make mutants` makes each in a copy of the repository, runs its tests and prints which of them
failed. One module for each part; a module's `MUTANTS` are found by its being here.
"""

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules

from tests.mutants.mutant import Mutant

_NONE_OF_THEM = {"mutant", "rules", "runner"}


def mutants() -> Sequence[Mutant]:
    """Return all deliberate mistakes, in the order of their modules' names."""
    names = sorted(found.name for found in iter_modules(__path__))
    parts = [
        import_module(f"{__name__}.{name}")
        for name in names
        if name not in _NONE_OF_THEM and not name.startswith(("test_", "_"))
    ]
    return [mutant for part in parts for mutant in part.MUTANTS]
