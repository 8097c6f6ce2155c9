"""Deliberate mistakes stay possible: their files change, and a stale one would catch nothing."""

from collections import Counter
from pathlib import Path

import pytest

from tests.mutants import mutants
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.mistake)
def test_a_mistake_can_still_be_made_and_its_tests_are_there(mutant: Mutant) -> None:
    mutant.changed((ROOT / mutant.file).read_text())

    assert all((ROOT / test.partition("::")[0]).exists() for test in mutant.tests.split())


def test_each_mistake_has_a_name_of_its_own() -> None:
    names = Counter(mutant.mistake for mutant in mutants())

    assert [name for name, times in names.items() if times > 1] == []
