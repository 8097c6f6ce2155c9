"""Published simulation: its table is made of its file, and its file by the code as it is."""

import json
import re

import pytest

from bench.simulate import KEDA, RULES, Plan
from bench.simulation.figures import by_trace_and_policy, cells
from bench.simulation.world import World
from cli.cost.simulated import Simulated
from tests.bench.short import ROOT

KEPT = Simulated.model_validate_json((ROOT / "docs" / "simulated.json").read_bytes())
PAGE = (ROOT / "docs" / "performance.md").read_text()
TABLE = re.search(r"\| trace \| policy \| p50 .*\n\|[-|]*\n((?:\|.*\n)*)", PAGE)


def test_the_table_is_made_of_the_file() -> None:
    assert TABLE
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")] for line in TABLE[1].splitlines()
    ]
    grouped = by_trace_and_policy(KEPT.runs)
    first = dict(reversed(list(grouped)))

    assert rows == [
        [trace if policy == first[trace] else "", policy, *cells(runs)]
        for (trace, policy), runs in grouped.items()
    ]


@pytest.mark.parametrize("policy", [*RULES, KEDA])
def test_the_file_is_made_by_the_code(policy: str) -> None:
    """Run one trace and seed in place of all, which take minutes."""
    (kept,) = (
        run for run in KEPT.runs if (run.trace, run.policy, run.seed) == ("burst", policy, 1)
    )

    assert World(**KEPT.parameters["world"]) == World()
    assert Plan("burst", policy, 1, World()).run() == kept


def test_what_the_readme_says_of_chaos_is_in_its_file() -> None:
    kept = json.loads((ROOT / "docs" / "chaos.json").read_text())
    setup, found = kept["setup"], kept["figures"]
    readme = (ROOT / "README.md").read_text()
    mishaps, calls, told = found["mishaps"], found["calls_met"], found["tally"]

    for sentence in (
        f"| {setup['tasks']:,} tasks in {found['seconds'] / 60:.0f} minutes on two cores |",
        (
            f"| {mishaps['kill-replica']} times a replica, {mishaps['kill-all-replicas']} times all of"
            f" them, {mishaps['kill-ingest']} ingests, {mishaps['kill-front']} fronts,"
            f" {mishaps['kill-proxy']} proxies, {mishaps['kill-controller']} controllers,"
            f" {mishaps['kill-node']} nodes |"
        ),
        (
            f"| {calls['request lost']:,} requests lost, {calls['answer lost']:,} answers lost,"
            f" {calls['cut']:,} cut, {calls['garbled']:,} garbled, {calls['throttled']:,} throttled,"
            f" {calls['delayed']:,} delayed; {mishaps['outage']} outages |"
        ),
        f"| {mishaps['redeploy']} redeploys;",
        f"| drawn again | {told['drawn_again']:,} |",
        f"| told again, in the same words | {told['told_again']:,} |",
        f"| {found['longest_stall']:.1f} s, while all replicas",
        f"| within {found['longest_after_outage']:.1f} s;",
    ):
        assert sentence in readme
    assert not found["violations"]
