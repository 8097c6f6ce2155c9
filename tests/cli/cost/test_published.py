"""Published estimates: each line as printed, and their slips by name."""

from decimal import Decimal

from cli.cost.published import PublishedEstimate, seed_a, seed_b
from cli.cost.usage_lines import cents, total

# Cents of each line as counted, in the order of the published tables.
SEED_A = "207.00 3.50 0.21 0.20 1.00 0.69 0.80 10.00 3.29 72.00 138.24"
SEED_B = "73.00 193.92 137.68 2.30 2.21 2.00 16.43 5.84 9.00"


def counted(seed: PublishedEstimate) -> str:
    return " ".join(str(cents(item.usd)) for item in seed.items)


def test_the_guidances_rows_come_out_to_the_cent() -> None:
    seed = seed_a()

    assert counted(seed) == SEED_A
    assert seed.printed == Decimal("436.42")
    assert cents(total(seed.items)) == Decimal("436.93")


def test_the_guidances_quantities_are_those_that_it_prints() -> None:
    quantities = [str(cents(row.line.quantity)) for row in seed_a().rows]

    assert quantities == [
        *("416.67", "1.00", "12500.00", "1.00", "2.00", "7.63", "2.00", "2000.00", "143.05"),
        *("720.00", "1440.00"),
    ]


def test_the_guidances_slips_are_named() -> None:
    assert list(seed_a().slips()) == [
        "sns publishes: 2 x 0.50 is 1.00, printed is 0.50",
        "vpc data out: 7.63 x 0.09 is 0.69, printed is 0.68",
        "vpc data out: 7.63 GB are 8 KiB a request; the footnote's 16 KB would be 15.26 GB",
        "the rows as printed add up to 436.42, its text says 436.72",
        "the rows as they should be add up to 436.93",
    ]


def test_comfyui_on_eks_comes_out_exactly() -> None:
    seed = seed_b()

    assert counted(seed) == SEED_B
    assert total(seed.items) == seed.printed == seed.stated_total == Decimal("442.378")
    assert not list(seed.slips())


def test_comfyui_on_eks_by_cloudfront_comes_out_exactly() -> None:
    seed = seed_b(cloudfront=True)

    assert total(seed.items) == seed.stated_total == Decimal("441.878")
    assert not list(seed.slips())
