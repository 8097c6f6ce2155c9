"""Polling: a task is looked at again and again where there are no events, as at the edge."""

import asyncio

import pytest

from atelier import ArtifactView, AsyncClient, TaskView, TimedOut
from models.native import ProblemView, StatusEvent
from tests.atelier.conftest import Impatient
from tests.atelier.served_platform import Fault, Platform
from tests.ingest.world import until

ELSEWHERE = ProblemView(type="urn:atelier:not-here", title="", status=501, detail="elsewhere")
ROBOT = {"prompt": "a tin robot"}


@pytest.fixture(autouse=True)
def no_events(platform: Platform) -> None:
    body = ELSEWHERE.model_dump_json()
    platform.proxy.faults.append(Fault(".*/events", status=501, body=body, times=1000))


async def test_the_same_is_told_to_the_end(platform: Platform, hasty: AsyncClient) -> None:
    platform.hold()
    sent = await hasty.submit(kind="text-to-image", content=ROBOT)
    told: list[object] = []

    async def watch() -> None:
        told.extend([event async for event in hasty.events(sent, timeout=20)])

    watching = asyncio.create_task(watch())
    await until(lambda: len(platform.proxy.requests) > 5, seconds=20)
    platform.go()
    await watching

    *statuses, picture, end = told
    assert isinstance(end, TaskView)
    assert isinstance(picture, ArtifactView)
    assert picture.uri == end.artifacts[0].uri
    assert [each.status for each in statuses if isinstance(each, StatusEvent)][-1] == "running"
    assert len(statuses) == len({str(each) for each in statuses})


async def test_the_pauses_grow_and_have_an_end(
    platform: Platform, hasty: AsyncClient, channel: Impatient
) -> None:
    platform.hold()
    sent = await hasty.submit(kind="text-to-image", content=ROBOT)

    with pytest.raises(TimedOut):
        await hasty.wait(sent, timeout=4)

    assert channel.slept[0] < channel.slept[3] < 4
    platform.go()
