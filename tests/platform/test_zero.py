"""A runtime that has no replica until a task comes, and none again after it: over a real Ray."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import psutil
import pytest

from tests.platform.conftest import Watched, message, until
from tests.platform.test_line import _title
from tests.platform.watching import state

pytestmark = pytest.mark.ray
COOLDOWN = 12.0
"""Seconds without a task until the last replica goes, however short the cooldown that is set."""
REACTION = 4.0
"""Seconds in which the policy would have woken a replica, and the HTTP API would tell it."""
BURST = ("zero-a", "zero-b", "zero-c", "zero-d", "zero-e", "zero-f")


@pytest.fixture
def native(up: Watched) -> Iterator[httpx.Client]:
    headers = {"x-api-key": up.address["api_key"]}
    with httpx.Client(base_url=up.address["url"], headers=headers, timeout=30) as client:
        yield client


def runtime(native: httpx.Client) -> Mapping[str, Any]:
    runtimes = native.get("/v1/runtimes").json()["runtimes"]
    found: Mapping[str, Any] = next(one for one in runtimes if one["name"] == "zero")
    return found


def replicas(up: Watched) -> set[int]:
    """Return the processes of the runtime's replicas."""
    there = psutil.Process(up.pid).children(recursive=True)
    return {one.pid for one in there if "ServeReplica:atelier:zero" in _title(one)}


def test_a_runtime_comes_from_zero_and_goes_back(up: Watched, native: httpx.Client) -> None:
    assert replicas(up) == set()

    refused = message("zero-refused", runtime="zero", batch_size=0)
    up.publish(refused, runtime="zero")
    assert up.wait("zero-refused")["status"] == "failed"
    time.sleep(REACTION)
    assert (runtime(native)["wanted"], replicas(up)) == (0, set())

    for name in BURST:
        up.publish(message(name, runtime="zero"), runtime="zero")
    wanted = until(lambda: runtime(native)["wanted"] == 2 and runtime(native))
    until(lambda: state(native, BURST[0]).get("phase") == "starting a replica")
    assert {up.wait(name)["status"] for name in BURST} == {"completed"}
    assert wanted["replicas"] == 0
    assert wanted["starting"] == 2
    assert {state(native, name)["attempt"] for name in BURST} == {1}

    until(lambda: not replicas(up))
    gone = time.monotonic()
    while time.monotonic() - gone < 2 * COOLDOWN:
        assert replicas(up) == set()
        time.sleep(0.5)
    assert runtime(native)["reason"] == "nothing to do"
