"""Figures of simulated runs: beside each other, and where one policy is worse than another."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean

from bench.simulation.fleet import Ledger
from bench.simulation.traces import HOUR
from cli.cost.simulated import SimulatedRun

COLUMNS = ("p50", "p95", "p99", "node h", "USD", "starts", "loads", "cut off")
"""Headings of the figures."""
_LESS_IS_BETTER = ("p50", "p95", "p99", "nodes", "usd", "loads", "cuts")
_MATTERS = 0.05
"""Share from which on a difference is told."""


def run_of(
    ledger: Ledger, *, trace: str, hours: float, policy: str, seed: int, spot: float, usd: float
) -> SimulatedRun:
    """Turn an account into figures.

    ``spot``: Spot's share of the nodes; ``usd``: price of a node for an hour.
    """
    latencies = sorted(ledger.latencies)
    return SimulatedRun(
        trace=trace,
        policy=policy,
        seed=seed,
        hours=hours,
        tasks=len(latencies),
        work=ledger.work / HOUR,
        loading=ledger.loading / HOUR,
        lost=ledger.lost / HOUR,
        starting=ledger.starting / HOUR,
        idle=ledger.idle / HOUR,
        nodes=ledger.nodes / HOUR,
        spot=spot,
        launches=ledger.launches,
        at_once=ledger.at_once,
        starts=ledger.replicas,
        loads=ledger.loads,
        cuts=ledger.cuts,
        interruptions=ledger.interruptions,
        p50=_at(latencies, 0.5),
        p95=_at(latencies, 0.95),
        p99=_at(latencies, 0.99),
        usd=ledger.nodes / HOUR * usd,
    )


def _at(latencies: Sequence[float], share: float) -> float:
    return latencies[min(int(share * len(latencies)), len(latencies) - 1)]


Runs = Sequence[SimulatedRun]


def by_trace_and_policy(runs: Iterable[SimulatedRun]) -> Mapping[tuple[str, str], Runs]:
    """Group the runs of each trace and policy, one for each seed."""
    grouped: dict[tuple[str, str], list[SimulatedRun]] = {}
    for run in runs:
        grouped.setdefault((run.trace, run.policy), []).append(run)
    return grouped


def cells(runs: Runs) -> list[str]:
    """Show the means over the seeds, below `COLUMNS`."""
    seconds = [f"{mean(runs, name):,.0f} s" for name in ("p50", "p95", "p99")]
    counts = [f"{mean(runs, name):,.0f}" for name in ("starts", "loads", "cuts")]
    return [*seconds, f"{mean(runs, 'nodes'):.1f}", f"{mean(runs, 'usd'):.2f}", *counts]


def mean(runs: Runs, name: str) -> float:
    """Return the mean of a figure over the seeds."""
    return fmean(getattr(run, name) for run in runs)


def worse(ours: Runs, theirs: Runs) -> Iterator[str]:
    """Tell each figure in which ours are worse than theirs."""
    for name in _LESS_IS_BETTER:
        our, their = mean(ours, name), mean(theirs, name)
        if our > their * (1 + _MATTERS) and our - their > 1:
            yield f"{name} {our:,.1f} against {their:,.1f}"
