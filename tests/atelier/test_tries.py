"""Tries: a call that went wrong on the way is made again, and does nothing twice."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from atelier import (
    ArtifactView,
    AsyncClient,
    Client,
    Misaddressed,
    Misused,
    Refused,
    TaskView,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from atelier.caller import Caller
from atelier.channel import AsyncChannel
from atelier.task_events import TaskEvents
from models.native import ProblemView
from tests.atelier.conftest import Impatient
from tests.atelier.served_platform import KEY, Fault, Platform
from tests.ingest.world import until

ROBOT = {"prompt": "a tin robot"}


@pytest.mark.parametrize("status", [0, 429, 502, 503, 504])
async def test_a_lost_answer_submits_nothing_twice(
    platform: Platform, hasty: AsyncClient, channel: Impatient, status: int
) -> None:
    platform.proxy.faults.append(Fault("/v1/tasks", "POST", times=3, status=status))

    sent = await hasty.submit(kind="text-to-image", content=ROBOT)

    assert platform.published == 1
    assert (await hasty.get(sent.id)).submission == sent.submission
    assert len({request.headers["idempotency-key"] for request in platform.proxy.requests[:4]}) == 1
    assert len(channel.slept) == 3
    assert channel.slept[0] < channel.slept[2] < 8


def test_without_an_event_loop_a_lost_answer_submits_nothing_twice(
    platform: Platform,
) -> None:
    platform.proxy.faults.append(Fault("/v1/tasks", "POST"))
    with Client(platform.url, KEY) as client:
        client.submit(kind="text-to-image", content=ROBOT)

    assert platform.published == 1


async def test_each_call_is_a_submission_unless_its_key_says_otherwise(
    platform: Platform, hasty: AsyncClient
) -> None:
    for _ in range(2):
        await hasty.submit(kind="text-to-image", content=ROBOT)
    first = await hasty.submit(kind="text-to-image", content=ROBOT, idempotency_key="one")
    again = await hasty.submit(kind="text-to-image", content=ROBOT, idempotency_key="one")

    assert platform.published == 3
    assert first.submission == again.submission
    with pytest.raises(Refused, match="take a new one") as refused:
        await hasty.submit(kind="text-to-image", content={}, idempotency_key="one")
    assert refused.value.problem.type == "urn:atelier:idempotency-key-reused"


async def test_a_submission_under_way_is_waited_for(
    platform: Platform, hasty: AsyncClient, channel: Impatient
) -> None:
    problem = ProblemView(
        type="urn:atelier:idempotency-in-progress", title="", status=409, detail=""
    )
    body, headers = problem.model_dump_json(), {"Retry-After": "1"}
    platform.proxy.faults.append(Fault("/v1/tasks", "POST", status=409, headers=headers, body=body))

    await hasty.submit(kind="text-to-image", content=ROBOT)

    assert 1 < channel.slept[0] < 2


@pytest.mark.parametrize("as_date", [False, True])
async def test_it_comes_back_no_earlier_than_it_was_told(
    platform: Platform, hasty: AsyncClient, channel: Impatient, *, as_date: bool
) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    busy = {"Retry-After": date if as_date else "20"}
    platform.proxy.faults.append(Fault("/v1/runtimes", status=429, headers=busy))

    assert await hasty.runtimes()
    assert 10 < channel.slept[0] < 22


async def test_it_does_not_wait_longer_than_it_has_patience(
    platform: Platform, hasty: AsyncClient, channel: Impatient
) -> None:
    busy = {"Retry-After": "3600"}
    platform.proxy.faults.append(Fault("/v1/runtimes", status=503, headers=busy))

    with pytest.raises(Unavailable, match=r"answers 503: .*; try again in 3600 s") as busy_:
        await hasty.runtimes()

    assert busy_.value.retry_after == 3600
    assert channel.slept == []


async def test_tries_are_counted(platform: Platform, hasty: AsyncClient) -> None:
    platform.proxy.faults.append(Fault("/v1/runtimes", times=100, status=503))

    with pytest.raises(Unavailable, match="answers 503"):
        await hasty.runtimes()

    assert len(platform.proxy.requests) == 5


@pytest.mark.parametrize("status", [500, 501])
async def test_what_is_broken_is_not_tried_again(
    platform: Platform, hasty: AsyncClient, status: int
) -> None:
    platform.proxy.faults.append(Fault("/v1/runtimes", times=100, status=status))

    with pytest.raises(Unavailable, match=f"answers {status}"):
        await hasty.runtimes()

    assert len(platform.proxy.requests) == 1


async def test_where_nothing_listens_it_is_unreachable(
    platform: Platform, channel: Impatient
) -> None:
    async with AsyncClient("http://127.0.0.1:1", KEY, channel=channel) as client:
        with pytest.raises(
            Unreachable, match=r"no answer from http://127\.0\.0\.1:1/v1.*atelier up"
        ):
            await client.runtimes()

    assert len(channel.slept) == 4


async def test_a_wrong_key_is_said_at_once(platform: Platform) -> None:
    async with AsyncClient(platform.url, "a key of nobody") as client:
        with pytest.raises(Unauthorized, match="key is not known") as refused:
            await client.runtimes()

    assert "nobody" not in str(refused.value)
    assert len(platform.proxy.requests) == 1


async def test_what_the_keys_role_may_not_do_is_said_with_the_remedy(
    platform: Platform,
) -> None:
    async with AsyncClient(platform.url, "bo's key") as client:
        with pytest.raises(Unauthorized, match="leave the parameter `key` out"):
            await anext(client.list(key="ana"))


@pytest.mark.parametrize("path", ["/nowhere", "/v1"])
async def test_another_server_is_told_from_a_missing_task(platform: Platform, path: str) -> None:
    async with AsyncClient(f"{platform.store.url}{path}", KEY) as client:
        with pytest.raises(Misaddressed, match=r"no atelier with /v1 \(status 404"):
            await client.get("robot")


async def test_a_server_that_answers_all_with_a_page_is_not_believed(
    platform: Platform, hasty: AsyncClient
) -> None:
    platform.proxy.faults.append(Fault("/v1/runtimes", status=200, body="<html>Welcome!</html>"))
    platform.proxy.faults.append(Fault("/v1/tasks/robot/events", status=200, body="<html>"))

    with pytest.raises(Misaddressed, match="no RuntimeList"):
        await hasty.runtimes()
    with pytest.raises(Misaddressed, match="text/event-stream"):
        await hasty.wait("robot")


async def test_an_answer_without_end_is_not_held_in_memory(
    platform: Platform, hasty: AsyncClient
) -> None:
    endless = "x" * (65 << 20)
    sse = {"content-type": "text/event-stream"}
    platform.proxy.faults.append(Fault("/v1/runtimes", status=200, body=endless))
    platform.proxy.faults.append(
        Fault(".*/events", status=200, headers=sse, body=f"data: {endless}")
    )

    with pytest.raises(Misaddressed, match="its answer has no end"):
        await hasty.runtimes()
    with pytest.raises(Misaddressed, match="an event has no end"):
        await hasty.wait("robot")


async def test_an_event_that_only_a_newer_platform_knows_is_left_out(
    platform: Platform, hasty: AsyncClient
) -> None:
    sse = {"content-type": "text/event-stream"}
    sparkle, wrong = "event: sparkle\ndata: 1\n\n", 'event: progress\ndata: {"step": "far"}\n\n'
    platform.proxy.faults.append(Fault(".*/events", status=200, headers=sse, body=sparkle + wrong))

    with pytest.raises(Misaddressed, match="data of an event 'progress' is no ProgressView"):
        await hasty.wait("robot")


async def test_the_key_does_not_follow_a_redirect(platform: Platform, hasty: AsyncClient) -> None:
    away = {"Location": f"{platform.store.url}/v1/runtimes"}
    platform.proxy.faults.append(Fault("/v1/runtimes", status=307, headers=away))

    with pytest.raises(Misaddressed, match="status 307"):
        await hasty.runtimes()

    assert platform.store.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000",
        "ftp://host",
        "http://",
        "http://ana:secret@host",
        "http://h?a=b",
        "http://host:port",
    ],
)
def test_a_url_must_be_one(url: str) -> None:
    with pytest.raises(Misused, match="URL") as misused:
        Client(url, KEY)

    assert "secret" not in str(misused.value)


@pytest.mark.parametrize("key", ["", " ", "zebra\n", "zeb\x00ra"])
def test_a_key_must_be_one(key: str) -> None:
    with pytest.raises(Misused, match="API key") as misused:
        Client(api_key=key)

    assert "zeb" not in str(misused.value)


async def test_a_key_may_be_in_any_script(platform: Platform) -> None:
    async with AsyncClient(platform.url, "schlüssel") as client:
        with pytest.raises(Unauthorized):
            await client.runtimes()


async def test_a_stage_may_be_in_the_url(platform: Platform) -> None:
    async with AsyncClient(f"{platform.url}/dev/", KEY) as client:
        with pytest.raises(Misaddressed):
            await client.runtimes()

    assert platform.proxy.requests[0].url.path == "/dev/v1/runtimes"


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
async def test_a_stream_that_breaks_is_taken_up_where_it_was(
    platform: Platform, hasty: AsyncClient, after: int
) -> None:
    platform.hold()
    sent = await hasty.submit(kind="text-to-image", content=ROBOT)
    platform.proxy.faults.append(Fault(".*/events", after=after, times=3))
    platform.go()

    told = [event async for event in hasty.events(sent, timeout=20)]

    made = [event.uri for event in told if isinstance(event, ArtifactView)]
    ended = [event for event in told if isinstance(event, TaskView)]
    assert made == [artifact.uri for artifact in (await hasty.get(sent)).artifacts]
    assert ended == told[-1:]
    assert len(told) == len({event.model_dump_json() for event in told})


async def test_who_watches_outlasts_a_restart(
    platform: Platform, hasty: AsyncClient, channel: Impatient
) -> None:
    platform.hold()
    sent = await hasty.submit(kind="text-to-image", content=ROBOT)
    restart = Fault(".*/events", status=503, times=9)
    platform.proxy.faults += [Fault(".*/events", after=1), restart]
    watching = asyncio.create_task(hasty.wait(sent, timeout=20))
    await until(lambda: not restart.times, seconds=20)
    platform.go()

    assert (await watching).status == "completed"
    assert len(channel.slept) == 10


async def test_who_was_told_the_end_is_told_it_again(
    platform: Platform, hasty: AsyncClient
) -> None:
    sent = await hasty.submit(kind="text-to-image", content=ROBOT)
    place = f"/v1/tasks/{sent.id}", {"submission": sent.submission}
    caller = Caller(platform.url, KEY, channel=AsyncChannel(), timeout=20, patience=20)
    first, again = (TaskEvents(caller, *place, time.monotonic() + 20) for _ in range(2))
    *_, told = [event async for event in first.events()]
    again.last = first.last
    [told_again] = [event async for event in again.events()]
    assert isinstance(told, TaskView)
    assert isinstance(told_again, TaskView)

    # When it ended says the worker, as it happens; later the ledger does, a moment apart.
    assert told_again == told.model_copy(update={"updated": told_again.updated})
    await caller.channel.close()


async def test_a_stream_that_stays_away_ends_the_watching(
    platform: Platform, hasty: AsyncClient, channel: Impatient
) -> None:
    platform.hold()
    sent = await hasty.submit(kind="text-to-image", content=ROBOT)
    platform.proxy.faults.append(Fault(".*/events", status=503, times=1000))

    with pytest.raises(Unavailable):
        await hasty.wait(sent)
    platform.go()
