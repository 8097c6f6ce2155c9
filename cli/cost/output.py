"""Print estimates: a table for a person, a document for a program."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from cli.cost.comparison import Estimate
from cli.cost.published import PublishedEstimate
from cli.cost.usage_lines import Part, PricedLine, cents, total
from cli.output import Output

_HEADS = ("part", "what", f"{'quantity':>13}", "unit", f"{'USD each':>14}", f"{'USD':>9}")


def print_estimate(
    out: Output, estimate: Estimate, items: Sequence[PricedLine], region: str
) -> None:
    if out.as_json:
        out.json(_json(estimate, items) | {"region": region})
        return
    out.table([*_HEADS, ""], [*([*_cells(item), item.line.why] for item in items), _sum(items)])
    of_a_million = f"{cents(estimate.per_million):,} USD for a million pictures"
    out.line("")
    out.line(f"{of_a_million}; prices of {region}, {_dates(items)}")


def print_published(out: Output, seed: PublishedEstimate, estimate: Estimate) -> None:
    """Print a published estimate: its lines as counted, as printed, and where the two differ."""
    items, slips = seed.items, list(seed.slips())
    if out.as_json:
        published = {
            "printed": _number(seed.printed),
            "said": _number(seed.stated_total),
            "slips": slips,
        }
        out.json(_json(estimate, items) | published)
        return
    printed = [*(row.printed for row in seed.rows), seed.printed]
    rows = [*map(_cells, items), _sum(items)]
    cells_and_printed = ([*cells, f"{usd:>9}"] for cells, usd in zip(rows, printed, strict=True))
    out.table([*_HEADS, f"{'printed':>9}"], cells_and_printed)
    out.line("")
    for slip in slips or ["its arithmetic is right"]:
        out.line(f"- {slip}")


def print_comparison(out: Output, pairs: Sequence[tuple[Estimate, Estimate]]) -> None:
    """Print each published estimate beside this platform's."""
    flat = [estimate for pair in pairs for estimate in pair]
    if out.as_json:
        out.json({"estimates": [_json(estimate) for estimate in flat]})
        return
    rows: list[list[str]] = [
        [part, *(_usd(estimate.parts.get(part)) for estimate in flat)]
        for part in Part
        if any(part in estimate.parts for estimate in flat)
    ]
    alike = [usd for theirs, own in pairs for usd in (theirs.total, own.within(theirs.parts))]
    rows += [
        ["together", *(_usd(estimate.total) for estimate in flat)],
        ["of it, parts that both count", *map(_usd, alike)],
        ["for a million pictures", *(_usd(estimate.per_million) for estimate in flat)],
    ]
    out.table(["USD a month", *(f"{estimate.name:>14}" for estimate in flat)], rows)


def _cells(item: PricedLine) -> list[str]:
    line, price = item.line, item.price
    what = f"{line.service} {line.dimension}"
    quantity, each = f"{line.quantity:,.2f}", f"{price.usd:f}"
    return [line.part, what, f"{quantity:>13}", price.unit, f"{each:>14}", f"{cents(item.usd):>9}"]


def _sum(items: Iterable[PricedLine]) -> list[str]:
    return ["together", "", "", "", "", f"{cents(total(items)):>9}"]


def _usd(usd: Decimal | None) -> str:
    return f"{'-' if usd is None else f'{cents(usd):,}':>14}"


def _dates(items: Iterable[PricedLine]) -> str:
    dates = sorted({item.price.as_of for item in items})
    return f"as of {dates[0]} to {dates[-1]}"


def _number(usd: Decimal) -> float:
    return float(round(usd, 6))


def _json(estimate: Estimate, items: Sequence[PricedLine] = ()) -> dict[str, Any]:
    document: dict[str, Any] = {
        "scenario": estimate.name,
        "images": int(estimate.images),
        "usd": _number(estimate.total),
        "usd_a_million": _number(estimate.per_million),
        "parts": {part.value: _number(usd) for part, usd in estimate.parts.items()},
    }
    return document | ({"lines": [_line(item) for item in items]} if items else {})


def _line(item: PricedLine) -> dict[str, Any]:
    line, price = item.line, item.price
    return {
        "part": line.part.value,
        "service": line.service,
        "dimension": line.dimension,
        "quantity": _number(line.quantity),
        "unit": price.unit,
        "usd_each": float(price.usd),
        "usd": _number(item.usd),
        "source": price.source,
        "as_of": price.as_of,
        "why": line.why,
    }
