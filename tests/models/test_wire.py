"""Messages on the tasks topic: tasks, what is none, and pointers to large ones."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from models.errors import InvalidTask
from models.task import CALLBACK_EVENTS, ENDS, Callback, Task, clean_prefix
from models.wire import Message, body_of, checked, message_of, pointed_uri, pointer_to, task_of


def message(**metadata: Any) -> dict[str, Any]:
    whole = {"id": "owl", "tasktype": "text-to-image", "prefix": "birds", "context": {"n": 1}}
    return {"metadata": whole | metadata, "content": {"prompt": "an owl"}}


def called(**wanted: Any) -> dict[str, Any]:
    return message(callback={"url": "https://a.test/"} | wanted)


def without(key: str) -> dict[str, Any]:
    body = message()
    del body["metadata"][key]
    return body


def read(body: Any) -> Task:
    return task_of(body, runtime="studio", submission="s-1")


def test_a_message_is_a_task_of_the_runtime_that_consumes_it() -> None:
    task = read(message(runtime="legacy"))

    assert task == Task(
        submission="s-1",
        id="owl",
        runtime="studio",
        kind="text-to-image",
        prefix="birds",
        content={"prompt": "an owl"},
        context={"n": 1},
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "the message is not an object"),
        ([message()], "the message is not an object"),
        ("text", "the message is not an object"),
        ({}, "metadata is missing"),
        ({"content": {}}, "metadata is missing"),
        ({"metadata": None, "content": {}}, "metadata is not an object"),
        ({"metadata": [], "content": {}}, "metadata is not an object"),
        ({"metadata": {"id": "owl"}}, "content is missing"),
        (without("id"), "metadata.id is missing"),
        (message(id=None), "metadata.id is missing"),
        (message(id=""), "metadata.id is missing"),
        (message(id={}), "metadata.id is not a word"),
        (message(id=["owl"]), "metadata.id is not a word"),
        (message(prefix=7), "metadata.prefix is not a string"),
        (message(id=".."), "'..' segment"),
        (message(id="../../owl"), "'..' segment"),
        (message(prefix="birds/.."), "'..' segment"),
        (message(id="o\nwl"), "control character"),
        (message(id="/owl"), "empty segments"),
        (message(id="owl/"), "empty segments"),
        (message(id="\ud800"), "not Unicode"),
        (message(prefix="\udfff"), "not Unicode"),
        (message(id="o" * 500), "too long"),
        (message(prefix="b" * 1000), "too long"),
        (message(callback=""), "callback.url is not an http or https URL"),
        (message(callback="ftp://a.test/"), "callback.url is not an http or https URL"),
        (message(callback="https://a.test/" + "a" * 2048), "callback.url is not an http"),
        (message(callback="https://a.test/\ud800"), "callback.url is not Unicode"),
        (message(ttl=0), "metadata.ttl must be a number of seconds, 1209600 at most"),
        (message(ttl="90"), "metadata.ttl must be a number of seconds"),
        (message(ttl=True), "metadata.ttl must be a number of seconds"),
        (message(deadline="soon"), "metadata.deadline must be seconds since 1970"),
        (message(deadline={}), "metadata.deadline must be seconds since 1970"),
        (message(callback=7), "callback is neither a URL nor an object"),
        (message(callback=["https://a.test/"]), "callback is neither a URL nor an object"),
        (message(callback={}), "callback is neither a URL nor an object"),
        (message(callback={"url": None}), "callback is neither a URL nor an object"),
        (called(events=None), "callback.events must be some of running, completed, failed"),
        (called(events=[]), "callback.events must be some of"),
        (called(events="completed"), "callback.events must be some of"),
        (called(events=["queued"]), "callback.events must be some of"),
        (called(events=[["failed"]]), "callback.events must be some of"),
        (pointer_to("s3://outputs/payloads/1.json"), "the message is not an object"),
    ],
)
def test_what_is_no_task_is_told_by_its_reason(body: Any, reason: str) -> None:
    with pytest.raises(InvalidTask, match=reason):
        read(body)


@pytest.mark.parametrize(("given_id", "kept"), [(12, "12"), (1.5, "1.5"), (True, "True")])
def test_any_scalar_is_an_id(given_id: Any, kept: str) -> None:
    assert read(message(id=given_id)).id == kept


@pytest.mark.parametrize("body", [without("prefix"), message(prefix=None), message(prefix="")])
def test_a_publisher_may_leave_the_prefix_out(body: Any) -> None:
    assert read(body).folder == "owl"


def test_slashes_of_a_prefix_collapse() -> None:
    assert read(message(prefix="//birds///night/")).folder == "birds/night/owl"


@pytest.mark.parametrize("body", [without("tasktype"), message(tasktype=["text-to-image"])])
def test_without_a_word_for_its_kind_it_is_still_a_task(body: Any) -> None:
    assert read(body).kind == ""


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("extra-batch-image", "extra-batch-images"),
        ("extra-batch-images", "extra-batch-images"),
        ("to-music", "to-music"),
    ],
)
def test_a_kind_has_one_spelling_and_an_unknown_word_stays(word: str, kind: str) -> None:
    assert read(message(tasktype=word)).kind == kind


def test_a_missing_context_is_empty_and_a_null_is_kept() -> None:
    assert read(without("context")).context == {}
    assert read(message(context=None)).context is None


def test_content_may_be_null() -> None:
    assert read({"metadata": {"id": "owl"}, "content": None}).content is None


@pytest.mark.parametrize("body", [message(), message(callback=None)])
def test_a_callback_may_be_left_out(body: Any) -> None:
    assert read(body).callback is None


@pytest.mark.parametrize("body", [message(callback="https://a.test/"), called()])
def test_a_callback_is_told_each_end_where_no_events_are_named(body: Any) -> None:
    assert read(body).callback == Callback(url="https://a.test/", events=ENDS)


def test_a_callback_is_told_the_events_it_names_each_once() -> None:
    callback = read(called(events=["failed", "running", "failed"], later="ignored")).callback

    assert callback == Callback(url="https://a.test/", events=("failed", "running"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
metadata = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("id", "prefix", "tasktype", "context"), json_values)
)


callbacks = st.builds(
    lambda url, rest: {"url": url} | rest,
    st.builds("http://{}".format, st.text(st.characters())) | json_values,
    st.fixed_dictionaries(
        {},
        optional={"events": st.lists(st.sampled_from(CALLBACK_EVENTS) | json_values) | json_values},
    ),
)


@given(callbacks | callbacks.map(lambda callback: callback["url"]) | json_values)
def test_any_json_is_a_callback_or_told_to_be_none(given_callback: Any) -> None:
    try:
        callback = read(message(callback=given_callback)).callback
    except InvalidTask:
        return

    if callback is None:
        assert given_callback is None
        return
    assert callback.url.encode().startswith((b"http://", b"https://"))
    assert set(callback.events) <= set(CALLBACK_EVENTS)
    assert len(callback.events) == len(set(callback.events)) > 0


@given(json_values | st.builds(lambda m: {"metadata": m, "content": 1}, metadata))
def test_any_json_is_a_safe_task_or_told_to_be_none(body: Any) -> None:
    try:
        task = read(body)
    except InvalidTask:
        return

    assert clean_prefix(task.folder) == task.folder
    assert len(f"{task.stem}-1.png".encode()) <= 1024


def test_a_pointer_leads_back_to_its_uri() -> None:
    assert pointed_uri(pointer_to("s3://outputs/payloads/a/b.json")) == (
        "s3://outputs/payloads/a/b.json"
    )


def test_a_pointer_has_the_form_of_the_extended_clients() -> None:
    assert pointer_to("s3://outputs/payloads/1.json") == [
        "software.amazon.payloadoffloading.PayloadS3Pointer",
        {"s3BucketName": "outputs", "s3Key": "payloads/1.json"},
    ]


def test_the_old_name_of_the_pointer_is_known() -> None:
    old = [
        "com.amazon.sqs.javamessaging.MessageS3Pointer",
        {"s3BucketName": "outputs", "s3Key": "k"},
    ]

    assert pointed_uri(old) == "s3://outputs/k"


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        [],
        message(),
        ["software.amazon.payloadoffloading.PayloadS3Pointer"],
        ["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3Key": "k"}],
        ["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": 1, "s3Key": "k"}],
        ["another.Pointer", {"s3BucketName": "outputs", "s3Key": "k"}],
    ],
)
def test_anything_else_is_no_pointer(body: Any) -> None:
    assert pointed_uri(body) is None


@given(json_values)
def test_any_json_can_be_asked_for_its_pointer(body: Any) -> None:
    assert pointed_uri(body) is None


def test_a_message_is_measured_with_its_attributes() -> None:
    sent = Message(body={"a": "é"}, attributes={"runtime": "stüdio"})

    assert sent.text == json.dumps({"a": "é"})
    assert sent.size == len(sent.text) + len("runtimeStringst") + 2 + len("dio")


def test_a_stored_message_keeps_its_route_and_tells_its_size() -> None:
    sent = Message(body={"a": 1}, attributes={"runtime": "studio"}).sent_as("s-1")

    stored = sent.stored_at("s3://outputs/payloads/s-1.json")

    assert pointed_uri(stored.body) == "s3://outputs/payloads/s-1.json"
    assert stored.attributes == {
        "runtime": "studio",
        "submission": "s-1",
        "ExtendedPayloadSize": str(len('{"a": 1}')),
    }


@given(
    st.builds(
        Task,
        submission=st.just("s-1"),
        id=st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True),
        runtime=st.just("studio"),
        kind=st.sampled_from(["text-to-image", "extra-batch-images", "a word of no runtime"]),
        prefix=st.sampled_from(["", "birds", "/birds//night/"]),
        content=st.none() | st.text(alphabet="abc") | st.dictionaries(st.just("n"), st.integers()),
        context=st.none() | st.lists(st.integers()),
        callback=st.none()
        | st.builds(
            Callback,
            url=st.just("https://a.test/"),
            events=st.lists(st.sampled_from(CALLBACK_EVENTS), min_size=1).map(tuple),
        ),
    )
)
def test_a_message_is_read_as_the_task_that_it_was_written_of(task: Task) -> None:
    message = message_of(task)

    assert message.attributes == {"runtime": "studio", "submission": "s-1"}
    assert read(json.loads(message.text)) == checked(task)


@pytest.mark.parametrize(
    "wrong",
    [{"prefix": "a/../b"}, {"id": "a//b"}, {"id": "a" * 1000}, {"context": "x" * 300_000}],
)
def test_a_task_that_could_not_be_stored_is_refused_before_it_is_a_message(
    wrong: dict[str, Any],
) -> None:
    given = {"submission": "s-1", "id": "owl", "runtime": "studio", "kind": "pipeline"}

    with pytest.raises(InvalidTask):
        checked(Task(**given | wrong))


def test_time_limits_travel_in_the_metadata() -> None:
    read = task_of(
        message(ttl=90, deadline="1970-01-01T01:00:00Z"), runtime="sdruntime", submission="s"
    )

    assert (read.ttl, read.deadline) == (90, 3600)
    assert task_of(body_of(read), runtime="sdruntime", submission="s") == read
