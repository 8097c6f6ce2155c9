"""Prices as data: a table for each region, with source and date of each price."""

from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from atelier import Misused

_TABLES = files("cli.cost") / "prices"


class Price(BaseModel):
    """Price of one unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str
    dimension: str
    unit: str
    usd: Annotated[Decimal, Field(ge=0)]
    """US dollars without tax and free tiers; in the first tier if prices fall with the amount."""
    source: str
    # A year, a month or a day, as exactly as the source says it.
    as_of: Annotated[str, Field(pattern=r"^\d{4}(-\d\d(-\d\d)?)?$")]


class Prices(BaseModel):
    """Price table of a region."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: str
    sources: dict[str, str]
    prices: tuple[Price, ...]

    @model_validator(mode="after")
    def _sourced_once(self) -> Self:
        unknown = {price.source for price in self.prices} - self.sources.keys()
        if unknown:
            raise ValueError(f"sources does not say what {', '.join(sorted(unknown))} is")
        keys = [(price.service, price.dimension) for price in self.prices]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise ValueError(f"more than one price of {sorted(twice)}")
        return self

    def of(self, service: str, dimension: str) -> Price:
        """Return the price of a unit.

        Raises:
            Misused: the table has none.
        """
        key = (service, dimension)
        found = next((p for p in self.prices if (p.service, p.dimension) == key), None)
        if found is None:
            known = ", ".join(p.dimension for p in self.prices if p.service == service) or "none"
            raise Misused(
                f"no price of {service} '{dimension}' in {self.region}; known: {known}."
                " Add it with --prices FILE"
            )
        return found

    def overlaid_by(self, over: "Prices") -> "Prices":
        """Return the other table, filled up with this one's prices where it has none."""
        theirs = {(price.service, price.dimension) for price in over.prices}
        kept = [price for price in self.prices if (price.service, price.dimension) not in theirs]
        return Prices(
            region=self.region,
            sources=self.sources | over.sources,
            prices=(*kept, *over.prices),
        )


def regions() -> list[str]:
    """Return the regions that a table of current prices is shipped for."""
    names = (path.name.removesuffix(".yaml") for path in _TABLES.iterdir())
    return sorted(name for name in names if not name.startswith("seed-"))


def shipped(name: str) -> Prices:
    """Read the shipped table of a region, or of a published estimate.

    Raises:
        Misused: there is none.
    """
    path = _TABLES / f"{name}.yaml"
    if not path.is_file():
        raise Misused(f"no prices of {name}, only of {', '.join(regions())}: see --region")
    return Prices.model_validate(yaml.safe_load(path.read_text()))


def prices_of_file(path: Path) -> Prices:
    """Read a table of the user's own from a file.

    Raises:
        Misused: the file is no price table.
    """
    try:
        parsed: Any = yaml.safe_load(path.read_text())
        return Prices.model_validate(parsed)
    except (yaml.YAMLError, ValidationError) as exc:
        raise Misused(f"{path}: not a table of prices: {exc}") from None
