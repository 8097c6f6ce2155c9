"""The whole line over a real Ray, a real emulator's wire and real HTTP."""

import json
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.contracts.examples import (
    Case,
    Platform,
    answer,
    assert_answers,
    assert_notified,
    cases,
)
from tests.platform.conftest import Watched, message, until
from tests.platform.own_ray import listening

pytestmark = pytest.mark.ray


@pytest.fixture
async def platform(up: Watched) -> AsyncIterator[Platform]:
    async with httpx.AsyncClient(base_url=up.address["url"], timeout=30) as client:
        yield Platform(client=client, key=up.address["api_key"])


@pytest.mark.parametrize("case", cases("validator", "gateway"))
async def test_it_answers_as_the_contract_wants(case: Case, platform: Platform) -> None:
    assert_answers(case, await answer(case, platform), platform.bucket)


@pytest.mark.parametrize("case", cases("topic"))
def test_a_message_on_the_topic_ends_as_the_contract_wants(case: Case, up: Watched) -> None:
    attributes = {k: v["StringValue"] for k, v in case["message_attributes"].items()}
    dead_before = _dead_letters(up)

    up.publish(case["message"], **attributes)

    if "metadata" not in case["message"]:
        until(lambda: _dead_letters(up) == dead_before + 1)
        return
    told = up.wait(case["message"]["metadata"]["id"])
    assert told["status"] == ("failed" if case["expected"]["outcome"] == "failed" else "completed")
    if "notification" in case:
        assert_notified(case, told)


def test_http_and_sns_take_the_same_line(up: Watched) -> None:
    up.submit(message("by-http"))
    up.publish(message("by-sns"), runtime="sdruntime")

    by_http, by_sns = up.wait("by-http"), up.wait("by-sns")

    assert by_http.keys() == by_sns.keys()
    assert by_http["context"] == by_sns["context"] == {"order": 42}
    assert re.fullmatch(
        r"s3://outputbucket/renders/by-http/by-http-[0-9a-f]{16}-1\.png", by_http["image_url"][0]
    )
    out = json.loads(up.fetch(by_sns["output_url"]))
    assert out["images"] == by_sns["image_url"]
    assert up.fetch(by_sns["image_url"][0]).startswith(b"\x89PNG")


def test_a_large_task_travels_by_reference(up: Watched) -> None:
    up.submit(message("large", note="x" * 500_000))

    assert up.wait("large")["status"] == "completed"


def test_a_private_link_ends_as_a_failed_task_that_says_why(up: Watched) -> None:
    up.submit(message("ssrf", init_images=["http://169.254.169.254/latest/meta-data/"]))

    told = up.wait("ssrf")

    error = json.loads(up.fetch(told["output_url"]))["parameters"]["error_msg"]
    assert (told["status"], told["image_url"]) == ("failed", [])
    assert "http://169.254.169.254/latest/meta-data/" in error


def test_a_runtime_that_keeps_vanishing_ends_as_failed_with_its_own_words(up: Watched) -> None:
    up.submit(message("vanishing", vanish=True))

    told = up.wait("vanishing")

    parameters = json.loads(up.fetch(told["output_url"]))["parameters"]
    assert (told["status"], parameters["error"]) == ("failed", "RuntimeUnavailable")
    assert len(parameters["error_msg"]) < 200


def test_the_same_id_twice_gives_two_results(up: Watched) -> None:
    up.submit(message("twice"))
    up.submit(message("twice"))

    told = up.all_of("twice", 2)

    assert len({one["output_url"] for one in told}) == 2


def test_nothing_listens_beyond_loopback(up: Watched) -> None:
    holders = [psutil.Process(up.pid), *psutil.Process(up.pid).children(recursive=True)]

    assert listening(holders) <= {"127.0.0.1", "::1"}


def test_the_dashboard_shows_the_application_to_those_with_the_token(up: Watched) -> None:
    url = f"{up.address['dashboard']}/api/serve/applications/"
    token = Path(up.address["dashboard_token"]).read_text()

    refused = httpx.get(url)
    shown = httpx.get(url, headers={"Authorization": f"Bearer {token}"}).json()

    assert refused.status_code == 401
    deployments = shown["applications"]["atelier"]["deployments"]
    assert set(deployments) == {
        "Ingress",
        "Ingest",
        "sdruntime",
        "dynruntime",
        "comfy",
        "slow",
        "zero",
    }
    assert {one["status"] for one in deployments.values()} == {"HEALTHY"}


def test_a_killed_runtime_loses_no_task(up: Watched) -> None:
    up.submit(message("survivor", runtime="comfy"))
    until(lambda: _busy(up, "comfy"))

    os.kill(replica(up, "comfy"), signal.SIGKILL)

    assert up.wait("survivor")["status"] == "completed"


def test_a_killed_ingest_is_replaced_and_loses_no_task(up: Watched) -> None:
    up.submit(message("orphan", runtime="comfy"))
    until(lambda: _busy(up, "comfy"))

    os.kill(replica(up, "Ingest"), signal.SIGKILL)

    assert up.wait("orphan", seconds=90)["status"] == "completed"


def _dead_letters(up: Watched) -> int:
    url = up.sqs.get_queue_url(QueueName="tests-sdruntime-dead-letters")["QueueUrl"]
    name = "ApproximateNumberOfMessages"
    got = up.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(got["Attributes"][name])


def _busy(up: Watched, runtime: str) -> bool:
    """Tell whether a message of a runtime's queue is leased."""
    url = up.sqs.get_queue_url(QueueName=f"tests-{runtime}")["QueueUrl"]
    name = "ApproximateNumberOfMessagesNotVisible"
    got = up.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(got["Attributes"][name]) > 0


def replica(up: Watched, deployment: str) -> int:
    """The process of a deployment's one replica."""
    name = f"ServeReplica:atelier:{deployment}"
    found = (p for p in psutil.Process(up.pid).children(recursive=True) if name in _title(p))
    return next(found).pid


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""
