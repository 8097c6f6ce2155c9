from decimal import Decimal

import pytest

from models.quantities import GIB, quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", "0.5"),
        ("250n", "2.5e-7"),
        ("2", 2),
        (0.1, "0.1"),
        ("1.5Gi", GIB * 3 / 2),
        ("6k", 6_000),
        ("1Ki", 1_024),
        ("1e3", 1_000),
        ("2.", 2),
        (".5", "0.5"),
        ("2E", 2 * Decimal(10) ** 18),
    ],
)
def test_a_quantity_is_a_number(text: str | float, number: Decimal | str | int) -> None:
    assert quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "much", "2 Gi", "2gi", "-1", "1GiB", "1.2.3", "."])
def test_anything_else_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="500m"):
        quantity(text)
