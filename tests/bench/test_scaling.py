"""Figures of a fleet that follows its queue, reckoned from what was seen of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.fake_cluster.cluster import Entry
from bench.scale import fleet_settings
from bench.scaling.chart import draw
from bench.scaling.figures import figures
from bench.scaling.observer import Sample, Told
from bench.scaling.scenarios import Outcome, Setup
from cdk.manifests.ray_service import ray_service

SETUP = Setup(
    tasks=2,
    gpu_seconds=2,
    load_seconds=1,
    most_replicas=2,
    queue_length=1,
    target_seconds=20,
    cooldown_seconds=12,
    idle_seconds=5,
)


def sample(at: float, **there: int) -> Sample:
    nothing = dict.fromkeys(
        ("backlog", "wanted", "running", "starting", "leaving", "spot", "on_demand"), 0
    )
    return Sample(at=at, **nothing | there)


SAMPLES = (
    sample(0),
    sample(1, backlog=2, wanted=2),
    sample(2, backlog=2, wanted=2, starting=2, spot=1),
    sample(9, backlog=1, wanted=2, running=2, spot=1, on_demand=1),
    sample(12, wanted=1, running=1, spot=1, on_demand=1),
    sample(25, spot=1),
    sample(30),
    sample(40),
)
BILL = (
    Entry("launched", "a", "pictures-spot", 2),
    Entry("refused", "b", "pictures-spot", 2),
    Entry("ended", "b", "pictures-spot", 4),
    Entry("launched", "c", "pictures-on-demand", 4),
    Entry("ended", "c", "pictures-on-demand", 14),
    Entry("ended", "a", "pictures-spot", 30),
)


def outcome(samples: tuple[Sample, ...] = SAMPLES) -> Outcome:
    told = [Told("one", "completed", 8), Told("two", "completed", 11), Told("two", "failed", 11)]
    return Outcome(
        name="made up",
        published={"one": 0.5, "two": 1},
        told=told,
        samples=samples,
        bill=BILL,
        attempts={"one": 1, "two": 2},
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    lines: list[dict[str, Any]] = [
        {"load": "one.safetensors", "start": 5, "end": 6},
        {"task": "one", "start": 6, "end": 8},
        {"task": "of another scenario", "start": 50, "end": 52},
    ]
    path = tmp_path / "gpu.log"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_times_count_from_the_first_message_and_from_the_last_end(log: Path) -> None:
    found = figures(outcome(), SETUP, log)

    assert (found.target_set, found.node_launched, found.running) == (0.5, 1.5, 8.5)
    assert (found.first_picture, found.all_done) == (7.5, 10.5)
    assert (found.replicas_gone, found.nodes_gone) == (14, 19)


def test_what_is_held_is_the_nodes_and_what_is_worked_the_gpus(log: Path) -> None:
    found = figures(outcome(), SETUP, log)

    assert (found.held, found.worked) == (28 + 10, 3)
    assert found.held_to_worked == 12.67
    assert found.held_to_always == 0.64  # of two for the 29.5 s until nothing is held
    assert (found.spot, found.on_demand, found.refused, found.nodes_most) == (1, 1, 1, 2)


def test_a_task_that_is_told_twice_is_not_told_once(log: Path) -> None:
    assert figures(outcome(), SETUP, log).told_once == 1


def test_a_start_after_all_was_gone_is_needless(log: Path) -> None:
    again = (*SAMPLES, sample(41, wanted=1), sample(42))
    early = (*SAMPLES[:6], sample(27, wanted=1, spot=1), *SAMPLES[6:])

    assert figures(outcome(), SETUP, log).needless == 0
    assert figures(outcome(again), SETUP, log).needless == 1
    assert figures(outcome(early), SETUP, log).needless == 1


def test_the_chart_is_drawn(tmp_path: Path) -> None:
    draw([outcome(), outcome()], tmp_path / "chart.png")

    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_measured_has_a_group_of_each_kind_of_capacity(tmp_path: Path) -> None:
    service = ray_service(fleet_settings(SETUP, tmp_path / "gpu.log"))
    groups = service["spec"]["rayClusterConfig"]["workerGroupSpecs"]

    assert [one["groupName"] for one in groups] == ["ingest", "pictures-spot", "pictures-on-demand"]
    assert {one["maxReplicas"] for one in groups[1:]} == {SETUP.most_replicas}
