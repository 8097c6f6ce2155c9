"""Client: everything that it can do with a platform that works."""

import inspect
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from atelier import (
    ArtifactView,
    AsyncClient,
    CallbackRequest,
    Client,
    Kind,
    Misused,
    NotFound,
    PreviewEvent,
    ProgressView,
    Refused,
    Status,
    StatusEvent,
    TaskView,
    TimedOut,
)
from tests.atelier.served_platform import KEY, Platform, png

ROBOT = {"prompt": "a tin robot"}


def test_a_task_is_submitted_as_it_was_asked_for(platform: Platform, client: Client) -> None:
    sent = client.submit(
        kind=Kind.TEXT_TO_IMAGE,
        content=ROBOT,
        id="robot",
        runtime="sdruntime",
        prefix="toys",
        context={"order": 42},
        callback=CallbackRequest(url="https://example.org/told", events=("failed",)),
    )
    ended = client.wait(sent, timeout=20)

    assert (sent.id, sent.runtime, sent.key, sent.context) == (
        "robot",
        "sdruntime",
        "ana",
        {"order": 42},
    )
    assert sent.callback
    assert (sent.callback.url, sent.callback.events) == ("https://example.org/told", ("failed",))
    [task] = platform.painter.started
    assert (task.content, task.prefix) == (ROBOT, "toys")
    assert (ended.submission, ended.status) == (sent.submission, Status.COMPLETED)


def test_time_limits_are_sent(platform: Platform, client: Client) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    deadlines: list[datetime | float | str] = [until, until.timestamp(), until.isoformat()]
    for n, deadline in enumerate(deadlines):
        sent = client.submit(
            kind="text-to-image", content={}, id=f"t{n}", ttl=60, deadline=deadline
        )
        assert (sent.ttl, sent.deadline) == (60, until.timestamp())
    with pytest.raises(Misused, match="deadline: must be seconds since 1970"):
        client.submit(kind="text-to-image", content={}, deadline="soon")


def test_what_is_left_out_the_platform_decides(client: Client) -> None:
    sent = client.submit(kind="text-to-image", content=ROBOT, callback="https://example.org/told")

    assert sent.id == sent.submission
    assert sent.callback
    assert sent.callback.events == ("completed", "failed", "cancelled")


def test_pictures_are_made_from_prompts_and_pictures(
    platform: Platform, client: Client, tmp_path: Path
) -> None:
    local = tmp_path / "in.png"
    local.write_bytes(png())
    sent = [
        client.text_to_image("a tin robot", steps=3),
        client.image_to_image("a star", local, denoising_strength=0.5),
        client.image_to_image("a star", "s3://outputs/there.png", runtime="sdruntime"),
        client.upscale(png(), factor=4, upscaler="4x-shapes"),
    ]
    for task in sent:
        client.wait(task, timeout=20)

    encoded = platform.painter.started[1].content["init_images"][0]
    started = {task.submission: (task.kind, task.content) for task in platform.painter.started}
    assert [started[task.submission] for task in sent] == [
        ("text-to-image", {"prompt": "a tin robot", "steps": 3}),
        (
            "image-to-image",
            {"prompt": "a star", "init_images": [encoded], "denoising_strength": 0.5},
        ),
        ("image-to-image", {"prompt": "a star", "init_images": ["s3://outputs/there.png"]}),
        (
            "extra-single-image",
            {"image": encoded, "upscaling_resize": 4, "upscaler_1": "4x-shapes"},
        ),
    ]
    assert encoded.startswith("iVBORw0KGgo")


def test_what_is_no_task_is_not_sent(platform: Platform, client: Client) -> None:
    with pytest.raises(Misused, match="kind: Input should be"):
        client.submit(kind="sculpture", content=ROBOT)
    with pytest.raises(Misused, match="id: "):
        client.submit(kind="text-to-image", content=ROBOT, id="a b")
    with pytest.raises(Misused, match="content"):
        client.submit(kind="text-to-image", content={"cfg_scale": float("nan")})
    with pytest.raises(Misused, match="visible ASCII"):
        client.submit(kind="text-to-image", content=ROBOT, idempotency_key="a\r\nb: c")
    with pytest.raises(Misused, match=r"nowhere\.png: No such file"):
        client.image_to_image("a star", "nowhere.png")

    assert platform.proxy.requests == []


def test_a_refusal_names_each_wrong_field(client: Client) -> None:
    with pytest.raises(Refused, match=r"runtime: must be one of sdruntime \(fake\)") as refused:
        client.submit(kind="text-to-image", content=ROBOT, runtime="gone")

    assert refused.value.problem.type == "urn:atelier:unknown-runtime"
    assert [error.field for error in refused.value.problem.errors] == ["runtime"]


def test_a_task_that_is_not_there_is_not_found(client: Client) -> None:
    for ask in (client.get, client.cancel, client.wait, client.download, client.save):
        with pytest.raises(NotFound, match="No such task"):
            ask("nobody")


def test_an_id_is_its_newest_submission_and_a_view_is_its_own(client: Client) -> None:
    first = client.submit(kind="text-to-image", content=ROBOT, id="robot")
    second = client.submit(kind="text-to-image", content=ROBOT, id="robot")

    assert client.get("robot").submission == second.submission
    assert client.get(first).submission == first.submission
    assert client.get("robot", submission=first.submission).submission == first.submission


def test_all_tasks_are_listed_page_by_page(platform: Platform, client: Client) -> None:
    platform.hold()
    for n in range(103):
        client.submit(kind="text-to-image", content=ROBOT, id=f"n{n}")

    listed = [task.id for task in client.list()]
    pages = sum(request.url.path == "/v1/tasks" for request in platform.proxy.requests) - 103
    some = [task.id for task in client.list(limit=101)]
    platform.go()

    assert listed == [f"n{n}" for n in reversed(range(103))]
    assert pages == 2
    assert some == listed[:101]
    assert [task.id for task in client.list(limit=0)] == []


def test_tasks_are_listed_by_what_they_are(client: Client) -> None:
    failed = client.submit(kind="text-to-image", content={"fail": "out of paint"}, id="f")
    client.wait(failed, timeout=20)
    made = client.submit(kind="text-to-image", content=ROBOT, id="c")
    client.wait(made, timeout=20)
    between = datetime.fromtimestamp((failed.created + made.created) / 2, UTC)

    assert [t.id for t in client.list(status="failed")] == ["f"]
    assert [t.id for t in client.list(status=(Status.FAILED, Status.COMPLETED))] == ["c", "f"]
    assert [t.id for t in client.list(runtime="anyruntime")] == []
    assert [t.id for t in client.list(runtime=("sdruntime", "anyruntime"))] == ["c", "f"]
    assert [t.id for t in client.list(key="bo")] == []
    assert [t.id for t in client.list(since=between)] == ["c"]
    assert [t.id for t in client.list(until=made.created)] == ["f"]


def test_a_task_is_cancelled(platform: Platform, client: Client) -> None:
    platform.hold()
    sent = client.submit(kind="text-to-image", content=ROBOT)

    assert client.cancel(sent).status is Status.CANCELLED
    assert client.wait(sent, timeout=20).status is Status.CANCELLED


def test_events_are_typed_and_end_with_the_task(platform: Platform, client: Client) -> None:
    platform.hold()
    sent = client.submit(kind="text-to-image", content={**ROBOT, "batch_size": 2}, id="robot")
    events = []
    for event in client.events(sent, timeout=20):
        events.append(event)
        if isinstance(event, PreviewEvent):
            platform.go()

    kinds = [type(event) for event in events]
    assert [kind for kind in kinds if kind is not StatusEvent] == [
        ProgressView,
        PreviewEvent,
        ProgressView,
        ArtifactView,
        ArtifactView,
        TaskView,
    ]
    assert [e.n for e in events if isinstance(e, ArtifactView)] == [1, 2]
    assert [e.status for e in events if isinstance(e, TaskView)] == ["completed"]


def test_a_failed_task_says_why(client: Client) -> None:
    ended = client.wait(client.submit(kind="text-to-image", content={"fail": "out of paint"}))

    assert ended.status is Status.FAILED
    assert ended.error
    assert ended.error.message == "out of paint"


def test_waiting_ends_with_its_deadline(platform: Platform, client: Client) -> None:
    platform.hold()
    sent = client.submit(kind="text-to-image", content=ROBOT)

    for timeout in (0, 0.2):  # before an answer, and while it is kept alive
        with pytest.raises(TimedOut, match="it goes on"):
            client.wait(sent, timeout=timeout)
    platform.go()

    assert client.wait(sent, timeout=20).status is Status.COMPLETED


def test_the_offer_is_told(client: Client) -> None:
    runtimes = {runtime.name: runtime for runtime in client.runtimes()}
    checkpoints = {c.name: c.runtimes for c in client.checkpoints()}

    assert (runtimes["sdruntime"].checkpoint, runtimes["sdruntime"].dynamic) == ("shapes", False)
    assert checkpoints == {"shapes": ("sdruntime", "anyruntime")}


async def test_in_an_event_loop_it_is_the_same_client(platform: Platform, tmp_path: Path) -> None:
    async with AsyncClient(platform.url, KEY) as client:
        sent = await client.text_to_image("a tin robot")
        ended = await client.wait(sent, timeout=20)
        paths = await client.save(ended, tmp_path)
        listed = [task.id async for task in client.list()]

    assert ended.status is Status.COMPLETED
    assert [path.read_bytes() for path in paths] == [png()]
    assert listed == [sent.id]


async def test_without_an_event_loop_of_its_own_it_works_in_another(
    platform: Platform,
) -> None:
    """Notebooks run their cells in an event loop."""
    with Client(platform.url, KEY) as client:
        sent = client.text_to_image("a tin robot")

        assert client.wait(sent, timeout=20).status is Status.COMPLETED
        for _ in client.events(sent):
            break


def test_both_clients_have_the_same_methods() -> None:
    own = {name for name in dir(AsyncClient) if not name.startswith("_")}

    assert {name for name in dir(Client) if not name.startswith("_")} == own
    for name in own:
        plain, waiting = getattr(Client, name), getattr(AsyncClient, name)
        assert inspect.signature(plain) == inspect.signature(waiting)
        assert plain.__doc__ == waiting.__doc__
        assert not inspect.iscoroutinefunction(plain)


def test_a_content_that_the_runtime_would_refuse_is_told_by_its_fields(client: Client) -> None:
    with pytest.raises(Refused) as refused:
        client.submit(kind="text-to-image", content={"batch_size": 0, "n_iter": "two"})

    assert [each.field for each in refused.value.fields] == ["content.batch_size", "content.n_iter"]
