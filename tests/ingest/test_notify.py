"""Notifications: what is left out of one that no message holds, and where the whole lies."""

import json
from dataclasses import replace

import pytest

from ingest.call_request import CallRequest
from models.report import Report, Status
from models.settings.groups import Tasks
from models.task import Callback, Kind, Task
from models.wire import LARGEST
from tests.ingest.world import OUTPUT, World

URL = "https://x.test/" + "\N{GRINNING FACE}" * 2_000
CONTEXT = {"order": "x" * 200_000}
TASK = Task(
    submission="s1",
    id="\u00e9" * 300,
    runtime="sdruntime",
    kind=Kind.TEXT_TO_IMAGE,
    callback=Callback(url=URL),
)


def completed(pictures: int) -> Report:
    uris = tuple(f"{OUTPUT}/{'x' * 1_000}-{n}.png" for n in range(pictures))
    return Report.of(TASK, Status.RUNNING).completed(uris, f"{OUTPUT}/a.out", {})


@pytest.fixture
def world() -> World:
    return World(Tasks())


async def test_the_context_is_left_out_of_what_no_message_holds(world: World) -> None:
    report = completed(100)
    await world.notifier.notify(report, CONTEXT)
    (published,) = world.results.published
    (call,) = world.calls.published
    told = json.loads(published.message)

    assert len(published.message) < LARGEST
    assert len(call.message) < LARGEST
    assert CallRequest.model_validate_json(call.message).notification == told
    assert told["image_url"] == list(report.artifacts)
    assert (told["context"], told["left_out"]) == ({}, ["context"])
    whole = json.loads(world.objects.bodies[told["notification_url"]])
    assert whole["context"] == CONTEXT
    assert {**whole, "context": {}}.items() <= told.items()


async def test_the_pictures_are_left_out_where_they_alone_are_too_long(world: World) -> None:
    report = completed(250)
    await world.notifier.notify(report, CONTEXT)
    (published,) = world.results.published
    told = json.loads(published.message)

    assert (told["context"], told["left_out"]) == (CONTEXT, ["image_url"])
    assert (told["status"], told["result"], told["image_url"]) == ("completed", True, [])
    assert told["output_url"] == report.output
    whole = json.loads(world.objects.bodies[told["notification_url"]])
    assert whole["image_url"] == list(report.artifacts)
    assert whole["context"] == CONTEXT


async def test_what_a_message_holds_is_told_whole(world: World) -> None:
    await world.notifier.notify(replace(completed(16), callback=None), CONTEXT)
    (published,) = world.results.published

    assert "left_out" not in json.loads(published.message)
    assert world.objects.bodies == {}
