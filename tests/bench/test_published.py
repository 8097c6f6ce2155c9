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
    told, happened, met = found["tally"], found["mishaps"], found["calls_met"]
    killed = ("replica", "all-replicas", "ingest", "front", "proxy", "controller", "node")
    faults = ("request lost", "answer lost", "cut", "garbled", "throttled", "delayed")
    rows = {
        "tasks in": [setup["tasks"], round(found["seconds"] / 60)],
        "killed": [happened[f"kill-{what}"] for what in killed],
        "calls of AWS": [*(met[fault] for fault in faults), happened["outage"]],
        "besides": [happened["redeploy"]],
        "drawn again": [told["drawn_again"]],
        "told again": [told["told_again"]],
        "longest time": [round(found["longest_stall"], 1)],
        "work after": [round(found["longest_after_outage"], 1)],
    }
    readme = (ROOT / "README.md").read_text()
    table = readme[readme.index("`make chaos` lets") :]

    for words, figures in rows.items():
        (line,) = (line for line in table.splitlines()[:12] if words in line)
        said = [float(each.replace(",", "")) for each in re.findall(r"[\d,.]*\d", line)]
        assert said[: len(figures)] == figures
    assert not found["violations"]
