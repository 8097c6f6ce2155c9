"""Errors of pydantic in the words of people who write YAML or JSON."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from models.plain import plain


class _Inner(BaseModel):
    """Group of settings."""


@pytest.mark.parametrize(
    ("wanted", "given", "said"),
    [
        (tuple[int, ...], 3, "must be a list"),
        (list[int], {}, "must be a list"),
        (frozenset[int], 3, "must be a list"),
        (_Inner, 3, "must be a mapping"),
        (dict[str, int], [], "must be a mapping"),
        (Mapping[str, int], 3, "must be a mapping"),
        (int, "9" * 5_000, "must be a whole number"),
        (int, "many", "must be a whole number"),
        (int, 1.5, "must be a whole number"),
        (int, [], "must be a whole number"),
        (float, "many", "must be a number"),
        (bool, "perhaps", "must be true or false"),
    ],
)
def test_no_type_of_python_is_named(wanted: Any, given: object, said: str) -> None:
    assert _said(TypeAdapter(wanted), given) == said


def test_a_list_of_another_length_is_told_its_bounds() -> None:
    class Bounded(BaseModel):
        """Lists with bounds."""

        few: tuple[int, ...] = Field(min_length=1)
        many: list[int] = Field(max_length=2)

    with pytest.raises(ValidationError) as wrong:
        Bounded(few=(), many=[1, 2, 3])
    assert [plain(each) for each in wrong.value.errors()] == [
        "must have at least 1 item",
        "must have at most 2 items",
    ]


def _said(wanted: TypeAdapter[Any], given: object) -> str:
    with pytest.raises(ValidationError) as wrong:
        wanted.validate_python(given)
    return plain(wrong.value.errors()[0], mapping="a mapping")
