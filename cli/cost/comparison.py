"""Comparison of this platform with published estimates, at each estimate's assumptions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from cli.cost.gpu_hours import hours
from cli.cost.load import Load
from cli.cost.platform_usage import usage
from cli.cost.prices import shipped
from cli.cost.published import PublishedEstimate, seed_a, seed_b
from cli.cost.usage_lines import MILLION, Part, by_part, priced
from models.settings import Settings

REGION = "us-west-2"
"""Region that both estimates assume."""
GPU = "g5.2xlarge"
"""Instance type that both estimates assume."""
_LOAD_A = Load(images=1_000_000, seconds=1.5, picture_kib=150, spot=1, busy=1)
_LOAD_B = Load(
    images=64_000,
    seconds=9,
    picture_kib=1.5e6 / 1024,
    downloads=1,
    hours=160,
    bursts=20,
    spot=0,
    busy=1,
    models_gib=100,
    image_gib=20,
)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Monthly cost, by parts."""

    name: str
    images: Decimal
    parts: Mapping[Part, Decimal]

    @property
    def total(self) -> Decimal:
        return sum(self.parts.values(), Decimal())

    @property
    def per_million(self) -> Decimal:
        """Cost of a million pictures."""
        return self.total / self.images * MILLION

    def within(self, parts: Iterable[Part]) -> Decimal:
        """Return the cost of these parts together."""
        return sum((self.parts.get(part, Decimal()) for part in parts), Decimal())


def estimates(settings: Settings) -> list[tuple[Estimate, Estimate]]:
    """Return pairs: an estimate as printed, and this platform at its assumptions."""
    with_front = {"front": settings.front.model_copy(update={"enabled": True})}
    return [
        (_as_printed(seed_a()), _ours("seed-a", _LOAD_A, settings)),
        (_as_printed(seed_b()), _ours("seed-b", _LOAD_B, settings.model_copy(update=with_front))),
    ]


def _as_printed(seed: PublishedEstimate) -> Estimate:
    parts: dict[Part, Decimal] = {}
    for row in seed.rows:
        part = row.line.part
        parts[part] = parts.get(part, Decimal()) + row.printed
    return Estimate(name=seed.name, images=seed.images, parts=parts)


def _ours(like: str, load: Load, settings: Settings) -> Estimate:
    runtime = settings.models_runtime[0]
    nodes = runtime.nodes.model_copy(update={"capacity": ("spot", "on-demand")})
    runtime = runtime.model_copy(update={"nodes": nodes})
    taken = hours(load, runtime)
    items = priced(usage(load, taken, settings, runtime, GPU), shipped(REGION))
    return Estimate(name=f"ours, as {like}", images=Decimal(load.images), parts=by_part(items))
