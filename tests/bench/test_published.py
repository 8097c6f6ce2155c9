"""Published simulation: its table is made of its file, and its file by the code as it is."""

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
