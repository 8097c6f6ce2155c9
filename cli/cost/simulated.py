"""Load and hours of GPU nodes that a simulation has counted, as ``bench.simulate`` keeps them."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from atelier import Misused
from cli.cost.gpu_hours import Hours, nodes_at_once, share_of_node
from cli.cost.load import Load
from cli.cost.usage_lines import HOURS, SECONDS
from models.settings.groups import Runtime

_GIVEN = ("images", "seconds", "hours", "bursts", "spot", "rework", "busy", "cold_seconds")
"""Options of the load that a simulation has an answer for."""


class SimulatedRun(BaseModel):
    """Outcome of one trace under one policy; times in hours, those of nodes from launch to end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trace: str
    policy: str
    seed: int
    hours: float
    """Hours that the trace is long."""
    tasks: int
    work: float
    """Time of the GPUs for tasks that ended, loading left out."""
    loading: float
    lost: float
    """Time of runs that were cut off."""
    starting: float
    """Time of nodes from wanting a replica to its running."""
    idle: float
    nodes: float
    """Time of all nodes."""
    spot: float
    """Share of it on Spot."""
    launches: int
    """Nodes that were launched."""
    at_once: int
    """Most nodes at once."""
    starts: int
    """Replicas that were started."""
    loads: int
    cuts: int
    """Runs that were cut off."""
    interruptions: int
    p50: float
    """Median of the seconds from a task's sending to its end."""
    p95: float
    p99: float
    usd: float


class Simulated(BaseModel):
    """Runs of a simulation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parameters: dict[str, Any]
    runs: tuple[SimulatedRun, ...]


Runs = Sequence[SimulatedRun]
"""Runs of the same trace and policy, one for each seed."""


def runs_of_file(path: Path, trace: str | None, policy: str | None) -> Runs:
    """Read the runs of a trace and a policy, which need no name where a file has but one.

    Raises:
        Misused: the file is none of a simulation, or has no such runs, or several.
    """
    try:
        runs = Simulated.model_validate_json(path.read_bytes()).runs
    except ValidationError as exc:
        raise Misused(f"--simulated {path}: none that bench.simulate has kept: {exc}") from None
    of_trace = [run for run in runs if run.trace == _only("--trace", trace, runs)]
    return [run for run in of_trace if run.policy == _only("--policy", policy, of_trace)]


def load_of(runs: Runs, load: Load) -> Load:
    """Return the load of a month that repeats the trace.

    Raises:
        Misused: the load says already what the simulation does.
    """
    said = [name for name in _GIVEN if getattr(load, name) != getattr(Load(), name)]
    if said:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in said)
        raise Misused(f"--simulated has its own load: leave {options} out")
    tasks, times = _mean(runs, "tasks"), HOURS / Decimal(str(runs[0].hours))
    gpu = _mean(runs, "work") + _mean(runs, "loading")
    return replace(load, images=round(tasks * times), seconds=float(gpu * SECONDS / tasks))


def hours_of(runs: Runs, runtime: Runtime) -> Hours:
    """Return the node hours of a month that repeats the trace: means over the seeds.

    Raises:
        Misused: the runtime has no GPU, or may have fewer nodes than the simulation had.
    """
    of_node, first = share_of_node(runtime), runs[0]
    times = HOURS / Decimal(str(first.hours)) * of_node
    work = _mean(runs, "work") + _mean(runs, "loading")
    lost = _mean(runs, "lost")
    at_once = max(run.at_once for run in runs)
    kinds = runtime.nodes.capacity
    spot = fmean((run.spot for run in runs), [run.nodes for run in runs])
    spot = spot if "on-demand" in kinds else 1.0
    return Hours(
        work=work * times,
        rework=lost * times,
        idle=(_mean(runs, "nodes") - work - lost) * times,
        nodes=nodes_at_once(at_once * of_node, runtime),
        spot=Decimal(str(spot if "spot" in kinds else 0.0)),
        starts=round(_mean(runs, "launches") * times),
        source=f"; simulated: {first.trace}, {first.policy}",
    )


def _only(option: str, named: str | None, runs: Runs) -> str:
    """Return the trace or policy that is named, or the only one that there is."""
    there = sorted({getattr(run, option.removeprefix("--")) for run in runs})
    if named in there or (named is None and len(there) == 1):
        return named or there[0]
    raise Misused(f"{option}: name one of {', '.join(there) or 'none'}")


def _mean(runs: Runs, name: str) -> Decimal:
    return Decimal(str(fmean(getattr(run, name) for run in runs)))
