"""Hours of a simulation in place of the estimate's own assumptions."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atelier import Misused
from cli.cost.load import Load
from cli.cost.simulated import Simulated, SimulatedRun, hours_of, load_of, runs_of_file
from models.settings.groups import Runtime
from tests.cli.conftest import Atelier

RUN = SimulatedRun(
    trace="daily",
    policy="60 s",
    seed=1,
    hours=73,  # a tenth of a month
    tasks=900,
    work=8,
    loading=1,
    lost=0.5,
    starting=1.5,
    idle=9,
    nodes=20,
    spot=0.8,
    launches=7,
    at_once=3,
    starts=9,
    loads=90,
    cuts=2,
    interruptions=2,
    p50=1,
    p95=2,
    p99=3,
    usd=10,
)


def runtime(**given: Any) -> Runtime:
    return Runtime.model_validate({"name": "pictures", "type": "fake"} | given)


def kept(folder: Path, *runs: SimulatedRun) -> Path:
    path = folder / "runs.json"
    path.write_text(Simulated(parameters={}, runs=runs).model_dump_json())
    return path


def test_a_month_repeats_the_trace() -> None:
    taken, load = hours_of([RUN], runtime()), load_of([RUN], Load())

    assert (load.images, load.seconds) == (9_000, 36)
    assert [taken.work, taken.rework, taken.idle] == [90, 5, 105]
    assert (taken.starts, taken.nodes, taken.spot) == (70, 3, Decimal("0.8"))


def test_seeds_are_averaged_and_the_most_nodes_are_the_most_of_all() -> None:
    """Spot had 16 of the 20 hours of one, and 9 of the 30 of the other."""
    other = RUN.model_copy(
        update={"seed": 2, "nodes": 30, "spot": 0.3, "at_once": 5, "tasks": 1_100}
    )
    taken, load = hours_of([RUN, other], runtime()), load_of([RUN, other], Load())

    assert [load.images, taken.idle, taken.nodes] == [10_000, 155, 5]
    assert taken.spot == Decimal("0.5")


def test_replicas_that_share_a_gpu_share_its_hours() -> None:
    taken = hours_of([RUN], runtime(gpus=0.5))

    assert [taken.work, taken.nodes] == [45, 2]


@pytest.mark.parametrize(
    ("capacity", "share"),
    [(["spot"], 1), (["on-demand"], 0), (["spot", "on-demand"], Decimal("0.8"))],
)
def test_spots_share_is_what_the_nodes_allow(capacity: list[str], share: Decimal) -> None:
    assert hours_of([RUN], runtime(nodes={"capacity": capacity})).spot == share


def test_a_runtime_that_may_not_have_so_many_nodes_is_refused() -> None:
    with pytest.raises(Misused, match=r"3 nodes at once .* may have 2"):
        hours_of([RUN], runtime(scaling={"maxReplicas": 2}))


def test_a_load_of_ones_own_is_refused() -> None:
    with pytest.raises(Misused, match="leave --images, --cold-seconds out"):
        load_of([RUN], Load(images=5, cold_seconds=10, downloads=2))


def test_runs_are_found_by_trace_and_policy_and_need_no_name_if_there_is_one(
    tmp_path: Path,
) -> None:
    again = RUN.model_copy(update={"seed": 2})
    keda = RUN.model_copy(update={"policy": "KEDA"})
    path = kept(tmp_path, RUN, again, keda)

    assert list(runs_of_file(path, None, "60 s")) == [RUN, again]
    assert list(runs_of_file(path, "daily", "KEDA")) == [keda]
    with pytest.raises(Misused, match="--policy: name one of 60 s, KEDA"):
        runs_of_file(path, None, None)
    with pytest.raises(Misused, match="--trace: name one of daily"):
        runs_of_file(path, "nightly", None)


def test_the_command_counts_with_them_and_says_so(bare: Atelier, tmp_path: Path) -> None:
    path = kept(tmp_path, RUN)
    told = json.loads(bare("cost", "--simulated", str(path), "--json").stdout)
    spot = next(line for line in told["lines"] if line["dimension"] == "g6.2xlarge spot")

    assert told["images"] == 9_000
    assert spot["quantity"] == 0.8 * (90 + 105) + 5
    assert spot["why"].endswith("3 at once; simulated: daily, 60 s")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--trace", "daily"], "--trace and --policy choose among the runs of --simulated"),
        (["--simulated", "pyproject.toml"], "none that bench.simulate has kept"),
        (["--policy", "60 s"], "--trace and --policy choose among the runs of --simulated"),
        (["compare", "--simulated", "runs.json"], "compare has its own load"),
        (["compare", "--trace", "daily"], "compare has its own load"),
        (["seed-b", "--policy", "60 s"], "seed-b has its own load"),
    ],
)
def test_options_that_mean_nothing_together_are_refused(
    bare: Atelier, options: list[str], why: str
) -> None:
    done = bare("cost", *options)

    assert (done.exit_code, why in done.output) == (2, True)
