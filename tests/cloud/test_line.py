"""Task through API Gateway, the bundled function, SNS, SQS, ingest and a replica, to its end."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from atelier import AsyncClient
from atelier.errors import TimedOut
from models.native import TaskView
from models.settings import Settings
from samples.cloud.deploy import Cloud
from tests.cloud.conftest import Inbox, received, until
from tests.contracts.examples import (
    Case,
    Platform,
    answer,
    assert_answers,
    assert_notified,
    cases,
)

pytestmark = pytest.mark.usefixtures("line")

PNG = b"\x89PNG"


@pytest.fixture(scope="package")
def platform(client: httpx.AsyncClient, cloud: Cloud, settings: Settings) -> Platform:
    return Platform(client=client, key=cloud.api_key, bucket=settings.names.output_bucket)


@pytest.mark.parametrize("case", cases("validator", "gateway"))
async def test_it_answers_as_the_contract_wants(case: Case, platform: Platform) -> None:
    assert_answers(case, await answer(case, platform), platform.bucket)


@pytest.mark.parametrize("case", cases("topic"))
async def test_a_message_on_the_topic_ends_as_the_contract_wants(
    case: Case, cloud: Cloud, inbox: Inbox, settings: Settings
) -> None:
    dead = dead_letters(cloud, settings, "sdruntime")
    attributes = {name: each["StringValue"] for name, each in case["message_attributes"].items()}

    publish(cloud, case["message"], **attributes)

    if "metadata" not in case["message"]:
        await until(lambda: dead_letters(cloud, settings, "sdruntime") == dead + 1)
        return
    told = await inbox.wait(case["message"]["metadata"]["id"])
    assert told["status"] == ("failed" if case["expected"]["outcome"] == "failed" else "completed")
    if "notification" in case:
        assert_notified(case, told, settings.names.output_bucket)


async def test_with_a_key_it_comes_to_a_picture_and_without_to_nothing(
    platform: Platform, cloud: Cloud, inbox: Inbox
) -> None:
    refused = await platform.client.post("v1alpha2", json=task("refused"))
    accepted = await platform.client.post(
        "v1alpha2", json=task("accepted"), headers={"x-api-key": platform.key}
    )

    told = await inbox.wait("accepted")
    assert (refused.status_code, refused.json()) == (401, {"message": "Unauthorized"})
    assert told["image_url"][0].startswith(accepted.json()["output_location"] + "/accepted-")
    assert fetched(cloud, told["image_url"][0]).startswith(PNG)
    assert "refused" not in inbox.told


async def test_a_task_that_is_too_large_for_a_message_takes_its_way_through_s3(
    platform: Platform, inbox: Inbox
) -> None:
    large = task("large", note="x" * 500_000)

    await platform.client.post("v1alpha2", json=large, headers={"x-api-key": platform.key})

    assert (await inbox.wait("large"))["status"] == "completed"


@pytest.fixture
async def atelier(cloud: Cloud) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(cloud.url, cloud.api_key) as made:
        yield made


async def test_the_platforms_own_client_works_through_the_gateway(
    atelier: AsyncClient, tmp_path: Path
) -> None:
    """The client polls, since the edge has no events."""
    sent = await atelier.submit(
        kind="text-to-image", content={"prompt": "a kite"}, runtime="comfy", id="kite"
    )
    *_, ended = [event async for event in atelier.events(sent, timeout=20)]
    [saved] = await atelier.save(sent, tmp_path)

    assert isinstance(ended, TaskView)
    assert (ended.status, ended.key) == ("completed", "team")
    assert saved.read_bytes().startswith(PNG)


async def test_what_is_queued_is_found_listed_and_cancelled_through_the_gateway(
    atelier: AsyncClient, inbox: Inbox
) -> None:
    sent = await atelier.submit(
        kind="text-to-image", content={}, runtime="asleep", id="bed", context={"order": 7}
    )
    with pytest.raises(TimedOut):
        await atelier.wait(sent, timeout=0.1)
    found = await atelier.get(sent)
    listed = [each.id async for each in atelier.list(runtime="asleep")]
    ended = await atelier.cancel(sent)

    told = await inbox.wait("bed")
    assert (found.status, found.position) == ("queued", 0)
    assert listed == ["bed"]
    assert ended.status == "cancelled"
    assert (told["status"], told["context"]) == ("cancelled", {"order": 7})


async def test_who_waits_is_answered_with_the_end(platform: Platform) -> None:
    response = await platform.client.post(
        "v1/tasks?wait=20",
        json={"kind": "text-to-image", "content": {}, "runtime": "comfy"},
        headers={"x-api-key": platform.key},
    )

    assert (response.status_code, response.json()["status"]) == (200, "completed")


async def test_what_no_runtime_takes_is_kept_where_people_look(
    cloud: Cloud, settings: Settings
) -> None:
    sqs = cloud.client("sqs")
    url = sqs.get_queue_url(QueueName=settings.names.unrouted)["QueueUrl"]

    publish(cloud, task("lost")["task"], runtime="sdruntmie")

    [body] = await until(lambda: received(sqs, url))
    assert json.loads(body["Message"])["metadata"]["id"] == "lost"


def task(name: str, **content: Any) -> dict[str, Any]:
    metadata = {"id": name, "runtime": "sdruntime", "tasktype": "text-to-image", "prefix": "kites"}
    return {"task": {"metadata": metadata, "content": content}}


def publish(cloud: Cloud, message: Any, **attributes: str) -> None:
    cloud.client("sns").publish(
        TopicArn=cloud.outputs["sdNotificationLambdaARN"],
        Message=json.dumps(message),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )


def dead_letters(cloud: Cloud, settings: Settings, runtime: str) -> int:
    sqs = cloud.client("sqs")
    url = sqs.get_queue_url(QueueName=settings.names.dead_letters(runtime))["QueueUrl"]
    name = "ApproximateNumberOfMessages"
    got: Mapping[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])[
        "Attributes"
    ]
    return int(got[name])


def fetched(cloud: Cloud, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body: bytes = cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return body
