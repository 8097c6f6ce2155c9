"""Examples of the contract that HTTP can show, over the HTTP API in memory."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from ingest.memory import MemoryTopic
from models.settings import Settings
from models.task import Kind
from tests.contracts.examples import (
    BUCKET,
    Case,
    Platform,
    answer,
    asks_dynamic_runtime,
    assert_answers,
    assert_notified,
    assert_published,
    cases,
)
from tests.serve_app.world import World

KEY = "the key of the examples"

SDRUNTIME = {"name": "sdruntime", "type": "fake", "modelFilename": "model_a.safetensors"}
COMFY = {"name": "comfy", "type": "fake"}
DYNRUNTIME = {"name": "dynruntime", "type": "fake", "dynamicModel": True}


@dataclass(frozen=True, kw_only=True)
class MemoryPlatform(Platform):
    """HTTP API over a topic that can be looked into."""

    topic: MemoryTopic


def settings(case: Case) -> Settings:
    dynamic = [DYNRUNTIME] if asks_dynamic_runtime(case) else []
    return Settings.read(
        args={
            "stackName": "examples",
            "checkpoints": ".",
            "outputBucketName": BUCKET,
            "modelsRuntime": [SDRUNTIME, COMFY, *dynamic],
            "apiKeys": [{"name": "examples", "key": KEY}],
        }
    )


@pytest.fixture
async def platform(case: Case) -> AsyncIterator[MemoryPlatform]:
    """Fixtures can put another platform in this one's place; then the tests are about that one."""
    topic, configured = MemoryTopic(), settings(case)
    world = World(topic=topic, configured=configured)
    world.kinds = {runtime.name: frozenset(Kind) for runtime in configured.models_runtime}
    transport = httpx.ASGITransport(world.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://platform") as client:
        yield MemoryPlatform(client=client, key=KEY, topic=topic)


@pytest.mark.parametrize("case", cases("validator", "gateway"))
async def test_it_answers_as_the_contract_wants(case: Case, platform: Platform) -> None:
    response = await answer(case, platform)

    assert_answers(case, response, platform.bucket)


@pytest.mark.parametrize("case", cases("validator"))
async def test_it_publishes_what_the_reference_publishes(
    case: Case, platform: MemoryPlatform
) -> None:
    response = await answer(case, platform)

    assert len(platform.topic.published) == (response.status_code == 200)
    if platform.topic.published and case["reference_publish"]:
        [published] = platform.topic.published
        assert_published(case, published.message, published.attributes)


def test_a_notification_is_compared_by_its_patterns() -> None:
    pattern = {"id": "a", "image_url": [r"^s3://outputbucket/p/a-[0-9a-f]{4}-1\.png$"]}
    case = {"notification": {"body_pattern": pattern}}
    notification = {"id": "a", "image_url": ["s3://pictures/p/a-12ab-1.png"], "submission": "1"}

    assert_notified(case, notification, bucket="pictures")
    for image_urls in ([], ["s3://pictures/p/a-1.png"]):
        with pytest.raises(AssertionError):
            assert_notified(case, notification | {"image_url": image_urls}, bucket="pictures")
