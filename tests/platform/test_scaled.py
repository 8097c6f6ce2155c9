"""Replicas that follow a demand, over a real Ray: let go in mid-task, and starts that fail."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deployments.deploy import ENVIRONMENT as OF_A_DEPLOYMENT
from models.report import Stage
from serve_app.local.ray_cluster import ENVIRONMENT
from tests.platform.conftest import CONFIG
from tests.platform.own_ray import folder
from tests.platform.test_replicas import RAY

pytestmark = pytest.mark.ray
AT_ONCE = {"scaleDown": {"stabilizationWindowSeconds": 0}, "queueLength": 1, "cooldownSeconds": 1}
GPU_SECONDS = 8
FROM_ZERO = {"minReplicas": 0, "maxReplicas": 2, **AT_ONCE}
ONE_FAILURE = {"RAY_SERVE_MAX_PER_REPLICA_RETRY_COUNT": "1"}
"""Environment in which Serve gives a version up after one failed start, and not after three."""


class Scaled:
    """Replicas of a runtime, and what they say."""

    def __init__(self, process: "subprocess.Popen[str]", home: Path) -> None:
        self.process = process
        self.home = home
        self.said: list[Mapping[str, Any]] = []

    def tell(self, **words: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()

    def hear(self, **wanted: Any) -> Mapping[str, Any]:
        """Read on until a line says all of this; the test's own deadline bounds it."""
        assert self.process.stdout is not None
        for text in self.process.stdout:
            line: Mapping[str, Any] = json.loads(text)
            self.said.append(line)
            if all(line.get(key) == value for key, value in wanted.items()):
                return line
        raise AssertionError(self.said)

    def hear_running(self, count: int) -> set[str]:
        """Read on until so many replicas take tasks; return their names."""
        while len(running := self.hear().get("running") or ()) != count:
            pass
        return set(running)

    def hear_ends(self, *names: str) -> Mapping[str, Mapping[str, Any]]:
        """Read on until these tasks have ended; return what was said of that."""
        ends: dict[str, Mapping[str, Any]] = {}
        while ends.keys() < set(names):
            line = self.hear()
            if "end" in line:
                ends[line["task"]] = line
        return ends


@contextmanager
def scaled(scaling: Mapping[str, Any], **options: Any) -> Iterator[Scaled]:
    with (
        folder() as home,
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.platform.scaled",
                str(home),
                json.dumps(scaling),
                json.dumps(options),
            ],
            cwd=CONFIG.parent,
            env={**os.environ, **ENVIRONMENT, **RAY, **OF_A_DEPLOYMENT, **ONE_FAILURE},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        made = Scaled(process, home)
        made.hear(ready=True)
        yield made


@pytest.fixture(scope="module")
def fleet() -> Iterator[Scaled]:
    with scaled(FROM_ZERO, gpuMs=GPU_SECONDS * 1_000) as made:
        yield made


def test_what_scaling_lets_go_ends_what_it_has_begun(fleet: Scaled) -> None:
    fleet.hear(wanted=0, running=[])
    fleet.tell(demand={"waiting": 2, "running": 0})
    first = fleet.hear(wanted=2)
    both = fleet.hear_running(2)
    for name in "abcd":  # two at each replica: one runs, one waits for it
        fleet.tell(task=name)
    begun = {fleet.hear(stage="running")["task"] for _ in range(2)}

    # As if none were running, so that the policy does not wait until they are idle.
    fleet.tell(demand={"waiting": 1, "running": 0})
    fleet.hear(wanted=1)
    ends = fleet.hear_ends(*"abcd")

    assert (first["running"], first["never"]) == ([], True)
    assert {ends[name]["replica"] for name in begun} == both
    handed_back, ended = sorted(ends.keys() - begun, key=lambda name: "replica" in ends[name])
    assert ends[handed_back]["end"] == "PlaceGone"
    assert ends[ended]["end"] == "completed"


def test_who_stops_a_run_that_has_told_no_start_finds_the_gpu_free(fleet: Scaled) -> None:
    fleet.tell(demand={"waiting": 1, "running": 0})
    fleet.tell(task="e")
    fleet.hear(task="e", stage="running")
    fleet.tell(task="f")
    fleet.hear(task="f", stage=Stage.WAITING)

    fleet.tell(stop="f", after=GPU_SECONDS + 1)  # when e has ended, and f has begun unheard

    assert fleet.hear(stopped="f")["left_gpu"]


def test_a_start_that_fails_says_why_and_is_tried_again(fleet: Scaled) -> None:
    fleet.tell(demand={"waiting": 0, "running": 0})
    fleet.hear_running(0)
    (fleet.home / "broken").touch()
    fleet.tell(demand={"waiting": 1, "running": 0})

    fleet.hear(obstacle="a replica did not start: RuntimeError: no such checkpoint: sketch")
    (fleet.home / "broken").unlink()

    fleet.hear_running(1)


def test_an_update_that_fails_is_tried_again_once_no_replica_runs(fleet: Scaled) -> None:
    """Update the one that runs: Serve stops it before the first of the new version starts."""
    (fleet.home / "broken").touch()
    fleet.tell(deploy="broken")
    fleet.hear(version="broken", deployed=False)
    (fleet.home / "broken").unlink()

    fleet.hear_running(1)
