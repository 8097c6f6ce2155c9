"""Published cost estimates of two other platforms, line by line, with their arithmetic slips.

Quantities come from their own assumptions and prices are theirs; the figures that they print stand
beside, so that what differs is found by counting.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from cli.cost.prices import shipped
from cli.cost.usage_lines import (
    GIB,
    HOURS,
    MILLION,
    SECONDS,
    Part,
    PricedLine,
    UsageLine,
    priced,
    total,
)

_A_IMAGES = MILLION
_A_SECONDS = Decimal("1.5")
_A_HOURS = Decimal(720)  # the estimate counts 30 days
_B_IMAGES = Decimal(64_000)
_B_HOURS = Decimal(160)  # 8 hours on 20 days


@dataclass(frozen=True, kw_only=True)
class Row:
    """Usage line, and what the estimate prints for it."""

    line: UsageLine
    printed: Decimal
    note: str = ""
    """Fault of the line other than its product."""


@dataclass(frozen=True, kw_only=True)
class PublishedEstimate:
    """Cost estimate that somebody else has published."""

    name: str
    table: str
    """Name of the price table with its prices."""
    images: Decimal
    """Pictures a month."""
    rows: tuple[Row, ...]
    stated_total: Decimal
    """Sum that the text of the estimate states, which may differ from that of its rows."""

    @property
    def items(self) -> tuple[PricedLine, ...]:
        return priced((row.line for row in self.rows), shipped(self.table))

    @property
    def printed(self) -> Decimal:
        """Sum of the rows as printed."""
        return sum((row.printed for row in self.rows), Decimal())

    def slips(self) -> Iterator[str]:
        """Yield what does not come out as printed."""
        for row, item in zip(self.rows, self.items, strict=True):
            counted = item.usd.quantize(row.printed, ROUND_HALF_UP)
            if counted != row.printed:
                yield f"{_product(item)} is {counted}, printed is {row.printed}"
            if row.note:
                yield f"{row.line.service} {row.line.dimension}: {row.note}"
        if self.printed != self.stated_total:
            yield f"the rows as printed add up to {self.printed}, its text says {self.stated_total}"
        counted = total(self.items).quantize(self.printed, ROUND_HALF_UP)
        if counted != self.printed:
            yield f"the rows as they should be add up to {counted}"


def _product(item: PricedLine) -> str:
    line, price = item.line, item.price
    quantity = line.quantity.quantize(Decimal("0.01"), ROUND_HALF_UP).normalize()
    return f"{line.service} {line.dimension}: {quantity:f} x {price.usd}"


def _row(
    part: Part, of: tuple[str, str], quantity: Decimal | int, printed: str, *, note: str = ""
) -> Row:
    service, dimension = of
    line = UsageLine(part=part, service=service, dimension=dimension, quantity=Decimal(quantity))
    return Row(line=line, printed=Decimal(printed), note=note)


def seed_a() -> PublishedEstimate:
    """Return the estimate of the asynchronous Stable Diffusion guidance.

    A million pictures, all Spot.
    """
    kib = Decimal(1024)
    messages = _A_IMAGES * 8 * kib / GIB
    as_footnote = (_A_IMAGES * 16 * kib / GIB).quantize(Decimal("0.01"))
    footnote = f"7.63 GB are 8 KiB a request; the footnote's 16 KB would be {as_footnote} GB"
    gpu_hours = _A_IMAGES * _A_SECONDS / SECONDS
    pictures = _A_IMAGES * 150 * kib / GIB
    rows = (
        _row(Part.GPUS, ("ec2", "g5.2xlarge spot"), gpu_hours, "207.00"),
        _row(Part.API, ("apigateway", "requests"), 1, "3.50"),
        _row(Part.API, ("lambda", "duration x86_64"), 12_500, "0.21"),
        _row(Part.API, ("lambda", "requests"), 1, "0.20"),
        _row(Part.MESSAGES, ("sns", "publishes"), 2, "0.50"),
        _row(Part.MESSAGES, ("vpc", "data out"), messages, "0.68", note=footnote),
        _row(Part.MESSAGES, ("sqs", "requests"), 2, "0.80"),
        _row(Part.STORAGE, ("s3", "puts"), 2_000, "10.00"),
        _row(Part.STORAGE, ("s3", "standard"), pictures, "3.29"),
        _row(Part.CLUSTER, ("eks", "cluster"), _A_HOURS, "72.00"),
        _row(Part.NODES, ("ec2", "m5.large on demand"), 2 * _A_HOURS, "138.24"),
    )
    return PublishedEstimate(
        name="seed-a", table="seed-a", images=_A_IMAGES, rows=rows, stated_total=Decimal("436.72")
    )


def seed_b(*, cloudfront: bool = False) -> PublishedEstimate:
    """Return the estimate of ComfyUI on EKS: a GPU on demand, 8 h on 20 days, 9 s a picture."""
    out = (
        _row(Part.TRANSFER, ("cloudfront", "data out"), 100, "8.5")
        if cloudfront
        else _row(Part.TRANSFER, ("vpc", "data out"), 100, "9")
    )
    pictures = _B_IMAGES * Decimal("1.5") / 1000
    rows = (
        _row(Part.CLUSTER, ("eks", "cluster"), HOURS, "73"),
        _row(Part.GPUS, ("ec2", "g5.2xlarge on demand"), _B_HOURS, "193.92"),
        _row(Part.NODES, ("ec2", "t3a.xlarge reserved for a year"), 2, "137.68"),
        _row(Part.STORAGE, ("s3", "standard"), 100, "2.3"),
        _row(Part.STORAGE, ("s3", "standard"), pictures, "2.208"),
        _row(Part.STORAGE, ("ecr", "storage"), 20, "2"),
        _row(Part.FRONT, ("elb", "load balancer"), 1, "16.43"),
        _row(Part.FRONT, ("elb", "capacity unit"), HOURS, "5.84"),
        out,
    )
    name, stated = ("seed-b-cloudfront", "441.878") if cloudfront else ("seed-b", "442.378")
    return PublishedEstimate(
        name=name, table="seed-b", images=_B_IMAGES, rows=rows, stated_total=Decimal(stated)
    )
