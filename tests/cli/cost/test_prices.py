"""Prices: dated, sourced, one for each dimension."""

from decimal import Decimal
from pathlib import Path

import pytest

from atelier import Misused
from cli.cost.prices import Prices, prices_of_file, regions, shipped

HEAD = "region: us-east-1\nsources: {mine: an offer}\nprices:\n"
ROW = '  - {service: ec2, dimension: g6.2xlarge spot, unit: hour, usd: "0.3", source: mine, '


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "prices.yaml"
    path.write_text(f'{HEAD}{ROW}as_of: "2026-11"}}\n')
    return path


def test_both_regions_price_the_same_services_and_neither_more() -> None:
    def services(region: str) -> set[tuple[str, str]]:
        return {(p.service, p.dimension) for p in shipped(region).prices if p.service != "ec2"}

    assert regions() == ["us-east-1", "us-west-2"]
    assert services("us-east-1") == services("us-west-2")


@pytest.mark.parametrize("name", [*regions(), "seed-a", "seed-b"])
def test_a_shipped_price_is_exact(name: str) -> None:
    """A binary fraction would have some twenty digits."""
    for price in shipped(name).prices:
        assert len(price.usd.as_tuple().digits) <= 12


def test_a_missing_price_says_what_there_is() -> None:
    with pytest.raises(Misused, match=r"no price of ec2 'g9.xlarge spot' in us-west-2; known: g5"):
        shipped("us-west-2").of("ec2", "g9.xlarge spot")


def test_a_table_of_ones_own_goes_before_the_shipped(table: Path) -> None:
    prices = shipped("us-east-1").overlaid_by(prices_of_file(table))

    assert prices.of("ec2", "g6.2xlarge spot").usd == Decimal("0.3")
    assert prices.of("eks", "cluster").usd == Decimal("0.10")


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (f'{ROW}as_of: "soon"}}', "as_of"),
        (f"{ROW}".replace("source: mine, ", 'source: theirs, as_of: "2026"}'), "theirs"),
        (f'{ROW}as_of: "2026"}}\n' * 2, "more than one price"),
        (f'{ROW}as_of: "2026"}}'.replace("0.3", "-1"), "greater than or equal to 0"),
        ("  - [", "not a table of prices"),
    ],
)
def test_a_wrong_table_is_refused(table: Path, rows: str, why: str) -> None:
    table.write_text(HEAD + rows + "\n")

    with pytest.raises(Misused, match=why):
        prices_of_file(table)


def test_a_region_without_a_table_is_named() -> None:
    with pytest.raises(Misused, match="no prices of eu-west-1, only of us-east-1, us-west-2"):
        shipped("eu-west-1")


def test_tables_are_merged_by_service_and_dimension_and_nothing_is_lost(table: Path) -> None:
    base = shipped("us-east-1")
    merged: Prices = base.overlaid_by(prices_of_file(table))

    assert len(merged.prices) == len(base.prices)
