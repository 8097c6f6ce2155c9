"""Hours of GPU nodes in a month: work, work lost to interruptions, and idle time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from atelier import Misused
from cli.cost.kept_replicas import shares_of_time
from cli.cost.load import Load
from cli.cost.usage_lines import HOURS, SECONDS, Part, UsageLine
from models.capacity import bounded_scaling, pods_at_most
from models.settings.groups import Runtime
from models.settings.nodes import Nodes, Volume
from models.settings.scaling import LEAST_COOLDOWN_SECONDS

_UNITS = {"h": 3600, "m": 60, "s": 1}
# gp3's price has so many IOPS and so much throughput in it; only more is counted.
_FREE_IOPS = 3_000
_FREE_THROUGHPUT = 125
_BARE = Volume(size=20)  # the data volume that Bottlerocket always has
NEVER = "Never"
"""Value of `nodes.consolidateAfter` with which nodes never go."""


@dataclass(frozen=True, kw_only=True)
class Hours:
    """Hours of all GPU nodes in a month."""

    work: Decimal
    rework: Decimal
    idle: Decimal
    """Hours of coming up, of waiting for tasks before a node is removed, and of being kept."""
    nodes: int
    """Nodes that run at once while tasks come."""
    spot: Decimal
    """Share of work and idle time on Spot, 0 to 1."""
    starts: int
    """Times that a node is started."""
    kept: str = ""
    """Settings that keep nodes without tasks, and for how long; empty: none does."""
    source: str = ""
    """Simulation that they come from; empty: they follow from the load."""

    @property
    def on_spot(self) -> Decimal:
        return self.spot * (self.work + self.idle) + self.rework

    @property
    def on_demand(self) -> Decimal:
        return (1 - self.spot) * (self.work + self.idle)


def hours(load: Load, runtime: Runtime) -> Hours:
    """Compute the node hours that the load takes.

    Raises:
        Misused: the runtime has no GPU, or not as many as the load needs.
    """
    spot = _spot_share(load, runtime.nodes)
    of_node = share_of_node(runtime)
    busy = Decimal(str(load.busy))
    work = load.images * Decimal(str(load.seconds)) / SECONDS * of_node / busy
    rework = work * spot * Decimal(str(load.rework))
    nodes = nodes_at_once((work + rework) / Decimal(str(load.hours)), runtime)
    idle = _idle_hours(load, runtime, nodes, work + rework)
    return Hours(
        work=work,
        rework=rework,
        idle=idle,
        nodes=nodes,
        spot=spot,
        starts=round(_starts(load, runtime, nodes)),
        kept=_kept(runtime),
    )


def share_of_node(runtime: Runtime) -> Decimal:
    """Return the share of a node that a replica takes, since replicas may share a GPU.

    Raises:
        Misused: the runtime has no GPU.
    """
    if not runtime.gpus:
        raise Misused(
            f"{runtime.name} computes on the CPU (gpus: 0): --runtime names one with GPUs"
        )
    return min(Decimal(str(runtime.gpus)), Decimal(1))


def lines(taken: Hours, runtime: Runtime, kind: str) -> list[UsageLine]:
    """Return the usage lines of the nodes and their volumes."""
    both = (
        f"of {taken.work:.1f} h of work and {taken.idle:.1f} h of coming up and idling{taken.kept}"
    )
    again = f"{taken.rework:.1f} h done again; {taken.nodes} at once{taken.source}"
    return [
        _node(f"{kind} spot", taken.on_spot, f"{taken.spot:.0%} {both}, {again}"),
        _node(f"{kind} on demand", taken.on_demand, f"{1 - taken.spot:.0%} {both}"),
        *_volumes(runtime.nodes, (taken.on_spot + taken.on_demand) / HOURS),
    ]


def _node(dimension: str, hours: Decimal, why: str) -> UsageLine:
    return UsageLine(part=Part.GPUS, service="ec2", dimension=dimension, quantity=hours, why=why)


def seconds_of(duration: str) -> int:
    """Return the seconds of a duration in Karpenter's form, such as ``1h30m``; 0 for `Never`."""
    return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([hms])", duration))


def _spot_share(load: Load, nodes: Nodes) -> Decimal:
    if "spot" not in nodes.capacity:
        if load.spot:
            raise Misused("--spot: the runtime's nodes.capacity has no spot")
        return Decimal(0)
    if load.spot is None:
        # An assumption: on demand stands in for a tenth.
        return Decimal("0.9") if "on-demand" in nodes.capacity else Decimal(1)
    if load.spot < 1 and "on-demand" not in nodes.capacity:
        raise Misused("--spot: the runtime's nodes.capacity has nothing but spot")
    return Decimal(str(load.spot))


def nodes_at_once(wanted: Decimal, runtime: Runtime) -> int:
    """Return the nodes that so much work at once takes.

    Raises:
        Misused: the runtime may not have so many.
    """
    nodes = int(wanted.to_integral_value(ROUND_CEILING))
    most = pods_at_most(runtime)
    if nodes > most:
        raise Misused(
            f"{nodes} nodes at once do so much, and {runtime.name} may have {most}"
            f" (scaling.maxReplicas, nodes.maxGpus)"
        )
    return nodes


def _idle_hours(load: Load, runtime: Runtime, count: int, worked: Decimal) -> Decimal:
    """Return the hours without work, as if tasks came alike in all hours of the month."""
    nodes, shares = runtime.nodes, _shares_of_nodes(runtime)
    if nodes.consolidate_after == NEVER:
        return max(Decimal(count), *shares) * HOURS - worked
    cooldown = max(runtime.scaling.cooldown_seconds, LEAST_COOLDOWN_SECONDS)
    waits = load.cold_seconds + cooldown
    tail = Decimal(str(waits)) + nodes.idle_seconds + seconds_of(nodes.consolidate_after)
    kept_idle = sum(share * max(kept * HOURS - worked, Decimal()) for kept, share in shares.items())
    return kept_idle + _starts(load, runtime, count) * tail / SECONDS


def _starts(load: Load, runtime: Runtime, count: int) -> Decimal:
    """Return how often a node comes up for the bursts; those that are kept are there already."""
    if runtime.nodes.consolidate_after == NEVER:
        return Decimal()
    shares = _shares_of_nodes(runtime).items()
    coming = (share * max(count - kept, Decimal()) for kept, share in shares)
    return load.bursts * sum(coming, Decimal())


def _shares_of_nodes(runtime: Runtime) -> Mapping[Decimal, Decimal]:
    """Return the share of the time for which so many nodes are kept whatever comes."""
    shares = shares_of_time(bounded_scaling(runtime, on_aws=True))
    return {least * share_of_node(runtime): share for least, share in shares.items()}


def _kept(runtime: Runtime) -> str:
    """Say which settings keep nodes, and for how many hours of a month, together."""
    least = bounded_scaling(runtime, on_aws=True).min_replicas
    shares = _shares_of_nodes(runtime)
    fewest = "replicas" if runtime.replicas else "minReplicas"
    scheduled = max(shares) > least * share_of_node(runtime)
    by = [fewest] * (least > 0) + ["schedule"] * scheduled
    taken = sum(kept * share for kept, share in shares.items()) * HOURS
    return f" ({taken:.1f} h kept by {' and '.join(by)})" if by else ""


def _volumes(nodes: Nodes, months: Decimal) -> list[UsageLine]:
    """Return the usage lines of a node's volumes.

    With `imageCache: soci` images are on its own NVMe.
    """
    volumes = [nodes.os_volume, _BARE if nodes.image_cache == "soci" else nodes.data_volume]
    used = {
        "gp3": sum(volume.size for volume in volumes) * months,
        "gp3 iops": sum(volume.iops - _FREE_IOPS for volume in volumes) * months,
        "gp3 throughput": sum(volume.throughput - _FREE_THROUGHPUT for volume in volumes) * months,
        "snapshot": Decimal(nodes.data_volume.size if nodes.snapshot else 0),
    }
    return [
        UsageLine(part=Part.GPUS, service="ebs", dimension=dimension, quantity=quantity)
        for dimension, quantity in used.items()
    ]
