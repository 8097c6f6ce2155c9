"""Ingest that grows, and two fronts: any front finds a task wherever it is; each may be killed."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx
import psutil
import pytest
import yaml

from samples.local import running
from tests.platform.conftest import Watched, message, until
from tests.platform.watching import LONG

pytestmark = pytest.mark.ray

ASKED = 16
"""Requests of which each may go to either front."""
IN_HAND = 4
"""Most tasks that the replicas of ``sdruntime`` have in hand at once."""
SETTINGS: Mapping[str, Any] = {
    "stackName": "several",
    "checkpoints": "samples/models",
    "APIGW": {"throttle": {"rateLimit": 1000, "burstLimit": 1000}},
    "ingress": {"replicas": 2},
    "ingest": {"minReplicas": 1, "maxReplicas": 3},
    "tasks": {"leaseSeconds": 10},
    "modelsRuntime": [
        {
            "name": "sdruntime",
            "type": "fake",
            "gpus": 0,
            "cpus": 0.2,
            "admit": 2,
            "lookahead": 4,
            "replicas": 2,
            "options": {"gpuMs": 300},
        },
        {
            "name": "quick",
            "type": "fake",
            "gpus": 0,
            "cpus": 0.1,
            "replicas": 3,
            "options": {"gpuMs": 1, "loadMs": 5000},
        },
        {
            "name": "slow",
            "type": "fake",
            "gpus": 0,
            "cpus": 0.2,
            "admit": 4,
            "lookahead": 8,
            "options": {**LONG, "gpuMs": 20_000},
        },
    ],
}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    config = tmp_path_factory.mktemp("several") / "config.yaml"
    config.write_text(yaml.safe_dump(dict(SETTINGS)))
    with running(config) as there:
        yield Watched(there.address, pid=there.pid)


@pytest.fixture(scope="module")
def native(up: Watched) -> Iterator[httpx.Client]:
    key = {"x-api-key": up.address["api_key"]}
    # A connection for each request, or all would go to the front that took the first.
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=up.address["url"], headers=key, timeout=60, limits=limits) as client:
        yield client


def replicas(up: Watched, deployment: str) -> Sequence[psutil.Process]:
    """Processes of a deployment's replicas."""
    name = f"ServeReplica:atelier:{deployment}"
    return [
        one
        for one in psutil.Process(up.pid).children(recursive=True)
        if name in " ".join(one.as_dict(["cmdline"])["cmdline"] or [])
    ]


def all_told(up: Watched, names: Sequence[str]) -> Sequence[Sequence[Mapping[str, Any]]]:
    """Wait until all tasks are told of, and return the notifications of each."""
    until(lambda: up.read().keys() >= set(names), 120)
    return [up.told[name] for name in names]


def states(native: httpx.Client, name: str) -> Sequence[Mapping[str, Any]]:
    """Ask for a task so often that both fronts have answered."""
    return [native.get(f"/v1/tasks/{name}").json() for _ in range(ASKED)]


def start(native: httpx.Client, up: Watched, name: str) -> None:
    """Send a long task, and wait until its progress is known."""
    up.publish(message(name, runtime="slow"), runtime="slow")
    until(lambda: native.get(f"/v1/tasks/{name}").json().get("progress"))


def test_ingest_grows_with_what_the_fleet_ends(up: Watched) -> None:
    assert len(replicas(up, "Ingest")) == 1
    names = [f"grows-{number}" for number in range(100)]
    for name in names:
        up.publish(message(name, runtime="quick"), runtime="quick")
    all_told(up, names)
    # However slow this machine is: three have a GPU, and the last ones had it for a moment.
    loading = [f"loads-{number}" for number in range(12)]
    for name in loading:
        up.publish(message(name, runtime="quick", checkpoint=name), runtime="quick")
    until(lambda: len(replicas(up, "Ingest")) == 3)

    told = all_told(up, names + loading)

    assert {len(each) for each in told} == {1}


def test_any_front_knows_of_a_task_wherever_it_is(native: httpx.Client, up: Watched) -> None:
    for number in range(3):  # the queue decides which ingest has it
        name = f"found-{number}"
        start(native, up, name)
        told = states(native, name)
        cancelled = native.delete(f"/v1/tasks/{name}").json()

        assert all(state["status"] == "running" and state["progress"] for state in told)
        assert cancelled["status"] == "cancelled"
        assert up.wait(name)["status"] == "cancelled"


def test_the_pace_is_that_of_all_of_them(native: httpx.Client, up: Watched) -> None:
    names = [f"paced-{number}" for number in range(12)]
    for name in names:
        up.publish(message(name, runtime="slow"), runtime="slow")

    def slow() -> Mapping[str, Any]:
        runtimes = native.get("/v1/runtimes").json()["runtimes"]
        return next(one for one in runtimes if one["name"] == "slow")

    # Of twelve places each of three has a share of four, so this is more than two of them know.
    until(lambda: slow()["running"] == 1 and slow()["leased"] >= 9)
    for name in names:  # one that came by SNS is known a second later at most
        until(lambda name=name: native.delete(f"/v1/tasks/{name}").is_success)  # type: ignore[misc]
    assert {up.wait(name)["status"] for name in names} == {"cancelled"}


@pytest.mark.parametrize("deployment", ["Ingest", "Ingress"])
def test_one_that_is_killed_loses_no_task(
    native: httpx.Client, up: Watched, deployment: str
) -> None:
    names = [f"{deployment}-{number}" for number in range(30)]
    for name in names:
        up.publish(message(name), runtime="sdruntime")
    up.wait(names[0])
    there = replicas(up, deployment)
    os.kill(there[-1].pid, signal.SIGKILL)
    told = all_told(up, names)

    assert {one["status"] for each in told for one in each} == {"completed"}
    # It may have told of the ends of what a replica had in hand, and not have marked them as told.
    assert all(one == each[0] for each in told for one in each)
    assert sum(map(len, told)) <= len(names) + IN_HAND
    until(lambda: len(replicas(up, deployment)) == len(there))
    until(lambda: native.get("/readyz").is_success)
