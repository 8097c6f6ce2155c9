from textwrap import dedent

import pytest

from tests.house.__main__ import check
from tests.house.openings import refused_openings, refused_share
from tests.house.source import Source

EVERYWHERE = '''
    """Of the module."""

    LIMIT = 3
    """Whether it is reached."""

    class Lease:
        """What is held."""

        seconds: float
        """how long it is held."""

        async def renew(self) -> None:
            """`None` is returned."""
'''


def source(text: str) -> Source:
    return Source("models/made_up.py", dedent(text).strip())


def test_the_docstrings_of_modules_constants_classes_fields_and_functions_are_judged() -> None:
    found = sorted(refused_openings([source(EVERYWHERE)]), key=lambda opening: opening.line)

    assert [(opening.line, opening.word) for opening in found] == [
        (1, "Of"),
        (4, "Whether"),
        (7, "What"),
        (10, "how"),
        (13, "None"),
    ]
    assert str(found[0]) == "models/made_up.py:1: a docstring opens with 'Of'"


def test_docstrings_below_a_condition_or_an_attempt_are_judged_too() -> None:
    text = '''
        if DEBUG:
            LIMIT = 3
            """Now it is low."""
        else:
            LIMIT = 4
            """Whatever is left."""

        class Lease:
            try:
                seconds = fast()
                """Within a minute."""
            except OSError:
                seconds = 3
                """There is no clock."""
    '''
    found = sorted(refused_openings([source(text)]), key=lambda opening: opening.line)

    assert [(opening.line, opening.word) for opening in found] == [
        (3, "Now"),
        (6, "Whatever"),
        (11, "Within"),
        (14, "There"),
    ]


def test_a_verb_or_a_noun_is_an_opening() -> None:
    good = '"""Return the lease."""\nlease = 3\n"""Lease of what is run."""\n'

    assert not list(refused_openings([source(good)]))


def test_other_strings_and_comments_are_not_judged() -> None:
    good = '# What a comment says.\nsaid = "Of a kind"\ndef say() -> str:\n    return "Of a kind"\n'

    assert not list(refused_openings([source(good)]))


def test_the_check_names_each_one_only_above_its_bound(capsys: pytest.CaptureFixture[str]) -> None:
    half = [source('"""What it is."""\nlease = 3\n"""Lease."""\n')]

    assert refused_share(half) == 0.5
    assert check(half, 0.5) == 0
    assert "models/made_up.py" not in capsys.readouterr().out
    assert check(half, 0.49) == 1
    assert "models/made_up.py:1: a docstring opens with 'What'" in capsys.readouterr().out
    assert check(half, 0.5, list_all=True) == 0
    assert "models/made_up.py:1" in capsys.readouterr().out


def test_the_module_of_a_file_that_is_empty_has_no_docstring() -> None:
    assert refused_share([Source("models/__init__.py", "")]) == 0
