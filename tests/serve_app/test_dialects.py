"""Dialects: the bodies that are tasks, the messages of these, and the refusals of all others."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from models.settings import Settings
from models.task import Kind
from serve_app.dialects import v1alpha1, v1alpha2
from serve_app.dialects.rules import INVALID, Accepted, ParseContext, Refused
from serve_app.runtimes import Runtimes

LIMIT = 4000

PICTURES = frozenset(Kind) - {Kind.PIPELINE}
ABLE = {"studio": PICTURES, "darkroom": PICTURES, "graphs": frozenset({Kind.PIPELINE})}

Change = Callable[[dict[str, Any]], object]


def settings(*, dynamic: bool = True) -> Settings:
    darkroom = {"name": "darkroom", "type": "fake", "dynamicModel": dynamic}
    return Settings.read(
        args={
            "stackName": "atelier",
            "checkpoints": ".",
            "outputBucketName": "outputs",
            "tasks": {"maxPayloadBytes": LIMIT},
            "modelsRuntime": [
                {"name": "Studio", "type": "fake", "modelFilename": "oils.safetensors"},
                {"name": "graphs", "type": "fake", "modelFilename": "graphs.safetensors"},
                darkroom,
            ],
        }
    )


def context(*, dynamic: bool = True) -> ParseContext:
    read = settings(dynamic=dynamic)
    return ParseContext(
        runtimes=Runtimes(configured=read.models_runtime, kinds=ABLE.__getitem__),
        output_bucket=read.names.output_bucket,
        max_payload_bytes=read.tasks.max_payload_bytes,
    )


def told(parse: Callable[..., Accepted], raw: bytes) -> str:
    """Return the text by which a body is refused."""
    with pytest.raises(Refused) as refused:
        parse(raw, context())
    return str(refused.value)


def wrong(reason: str) -> str:
    return f"Incorrect payload structure, {reason}"


def v2(change: Change = lambda _: None, **metadata: Any) -> bytes:
    whole = {"id": "owl", "runtime": "studio", "tasktype": "text-to-image", "prefix": "birds"}
    task = {"metadata": whole | metadata, "content": {"prompt": "an owl"}}
    change(task)
    return json.dumps({"task": task}).encode()


def v1(change: Change = lambda _: None, **routing: Any) -> bytes:
    scripts = {
        "task": "text-to-image",
        "id_task": "owl",
        "sd_model_checkpoint": "oils.safetensors",
        "save_dir": "birds",
    }
    body = {"alwayson_scripts": scripts | routing, "prompt": "an owl"}
    change(body)
    return json.dumps(body).encode()


def drop(*path: str) -> Change:
    """Make a change that removes the key at the end of a path."""

    def change(body: dict[str, Any]) -> None:
        *outer, last = path
        for key in outer:
            body = body[key]
        del body[last]

    return change


def put(key: str, value: Any) -> Change:
    return lambda body: body.update({key: value})


def accepted(parse: Callable[..., Accepted], raw: bytes) -> Accepted:
    return parse(raw, context())


def test_v1alpha2_publishes_the_task_as_it_came() -> None:
    raw = v2(put("trace", "abc"), context=[1], colour="red")

    said = accepted(v1alpha2.parse, raw)

    assert said.message.body == json.loads(raw)["task"]
    assert said.message.attributes == {"runtime": "studio"}
    assert said.task.runtime == "studio"


def test_v1alpha2_tells_where_the_artifacts_will_be() -> None:
    said = accepted(v1alpha2.parse, v2(id="Ülo-1_b"))

    assert json.dumps(said.answer) == (
        '{"id": "\\u00dclo-1_b", "runtime": "studio", '
        '"output_location": "s3://outputs/birds/\\u00dclo-1_b", "id_task": "\\u00dclo-1_b"}'
    )


def test_a_runtime_is_known_in_any_case() -> None:
    said = accepted(v1alpha2.parse, v2(runtime="STUDIO"))

    assert said.task.runtime == said.answer["runtime"] == "studio"
    assert said.message.attributes == {"runtime": "studio"}
    assert said.message.body["metadata"]["runtime"] == "STUDIO"


@pytest.mark.parametrize(
    ("prefix", "folder"),
    [
        ("birds/", "birds/owl"),
        ("//birds///night//", "birds/night/owl"),
        (" ", " /owl"),
        ("vögel", "vögel/owl"),
    ],
)
def test_slashes_of_a_prefix_collapse(prefix: str, folder: str) -> None:
    for parse, raw in ((v1alpha2.parse, v2(prefix=prefix)), (v1alpha1.parse, v1(save_dir=prefix))):
        assert accepted(parse, raw).answer["output_location"] == f"s3://outputs/{folder}"


@pytest.mark.parametrize(
    "prefix",
    [None, "", "/", "///", "..", "a/../b", "a/..", "./a", "a\n", 7, [], {"a": 1}, "b" * 1000],
)
def test_a_prefix_that_is_no_folder_is_refused(prefix: Any) -> None:
    assert told(v1alpha2.parse, v2(prefix=prefix)) == INVALID
    assert told(v1alpha1.parse, v1(save_dir=prefix)) == INVALID


def test_a_long_id_is_kept_whole_as_long_as_its_keys_fit() -> None:
    assert accepted(v1alpha2.parse, v2(id="o" * 400)).answer["id"] == "o" * 400
    assert told(v1alpha2.parse, v2(id="o" * 500)) == INVALID


@pytest.mark.parametrize("tasktype", [*sorted(PICTURES), "extra-batch-image"])
def test_every_kind_of_picture_is_taken(tasktype: str) -> None:
    assert accepted(v1alpha2.parse, v2(tasktype=tasktype)).task.runtime == "studio"
    assert accepted(v1alpha1.parse, v1(task=tasktype)).task.runtime == "studio"


def test_a_pipeline_is_taken_where_it_can_run() -> None:
    raw = v2(runtime="graphs", tasktype="pipeline")

    assert accepted(v1alpha2.parse, raw).task.runtime == "graphs"


V2_REFUSED = [
    (b"", INVALID),
    (b"null", INVALID),
    (b"7", INVALID),
    (b'"task"', INVALID),
    (b"[]", INVALID),
    (b"{}", INVALID),
    (b'{"task": ', INVALID),
    (b'{"task": null}', INVALID),
    (b'{"task": "metadata content"}', INVALID),
    (b'{"task": ["metadata", "content"]}', INVALID),
    (b'{"task": {}}', wrong("content is missing")),
    (v2(drop("metadata")), wrong("metadata is missing")),
    (v2(drop("content")), wrong("content is missing")),
    (v2(put("metadata", None)), INVALID),
    (v2(put("metadata", [])), INVALID),
    (v2(put("metadata", "id")), INVALID),
    (v2(put("metadata", {})), wrong("invalid runtime format")),
    (v2(drop("metadata", "id")), wrong("invalid id format")),
    (v2(drop("metadata", "tasktype")), wrong("invalid tasktype")),
    (v2(drop("metadata", "runtime")), wrong("invalid runtime format")),
    (v2(drop("metadata", "prefix")), INVALID),
    (v2(id=12), wrong("invalid id format")),
    (v2(id=None), wrong("invalid id format")),
    (v2(id=""), wrong("invalid id format")),
    (v2(id="-_-"), wrong("invalid id format")),
    (v2(id="a/b"), wrong("invalid id format")),
    (v2(id=".."), wrong("invalid id format")),
    (v2(id="a\n"), wrong("invalid id format")),
    (v2(runtime="a b"), wrong("invalid runtime format")),
    (v2(runtime=["studio"]), wrong("invalid runtime format")),
    (v2(tasktype=["text-to-image"]), wrong("invalid tasktype")),
    (v2(tasktype={}), wrong("invalid tasktype")),
    (v2(tasktype="Text-To-Image"), wrong("invalid tasktype")),
    (v2(id="a b", tasktype="x"), wrong("invalid tasktype")),
    (v2(id="a b", tasktype="x", runtime="/"), wrong("invalid runtime format")),
    (v2(drop("content"), runtime="/"), wrong("content is missing")),
    (v2(id="a b", runtime="ghost", prefix=None), wrong("invalid id format")),
    (v2(runtime="ghost"), wrong("unknown runtime")),
    (v2(drop("metadata", "prefix"), runtime="ghost"), INVALID),
    (v2(runtime="ghost", tasktype="pipeline"), wrong("unknown runtime")),
    (v2(tasktype="pipeline"), wrong("tasktype not supported by runtime")),
    (v2(runtime="graphs"), wrong("tasktype not supported by runtime")),
    (v2(put("content", "x" * LIMIT)), wrong("payload too large")),
    (v2(put("content", "x" * LIMIT), id="a b"), wrong("payload too large")),
    (json.dumps({"task": ["x" * LIMIT]}).encode(), wrong("payload too large")),
]


@pytest.mark.parametrize(("raw", "text"), V2_REFUSED)
def test_v1alpha2_refuses_by_the_last_rule_that_failed(raw: bytes, text: str) -> None:
    assert told(v1alpha2.parse, raw) == text


V1_REFUSED = [
    (b"", INVALID),
    (b"null", INVALID),
    (b"[]", INVALID),
    (b'"alwayson_scripts"', INVALID),
    (b"{", INVALID),
    (b"{}", wrong("alwayson_scripts is missing")),
    (v1(put("alwayson_scripts", None)), INVALID),
    (v1(put("alwayson_scripts", [])), INVALID),
    (v1(put("alwayson_scripts", {})), wrong("invalid task type")),
    (v1(drop("alwayson_scripts", "task")), wrong("invalid task type")),
    (v1(drop("alwayson_scripts", "id_task")), wrong("invalid id_task format")),
    (v1(drop("alwayson_scripts", "save_dir")), INVALID),
    (
        v1(drop("alwayson_scripts", "sd_model_checkpoint")),
        wrong("sd_model_checkpoint is missing"),
    ),
    (
        v1(drop("alwayson_scripts", "sd_model_checkpoint"), id_task="a b"),
        wrong("invalid id_task format"),
    ),
    (v1(id_task="a b", task="zzz"), wrong("invalid task type")),
    (v1(id_task=7), wrong("invalid id_task format")),
    (v1(task="pipeline"), wrong("invalid task type")),
    (v1(task={}), wrong("invalid task type")),
    (v1(sd_model_checkpoint=""), INVALID),
    (v1(sd_model_checkpoint=None), INVALID),
    (v1(sd_model_checkpoint=["oils.safetensors"]), INVALID),
    (v1(sd_model_checkpoint="oils\x00"), INVALID),
    (v1(sd_model_checkpoint="o" * 1025), INVALID),
    (v1(sd_model_checkpoint="", task="zzz"), wrong("invalid task type")),
    (v1(sd_model_checkpoint="graphs.safetensors"), wrong("tasktype not supported by runtime")),
    (v1(put("prompt", "x" * LIMIT)), wrong("payload too large")),
    (json.dumps(["x" * LIMIT]).encode(), wrong("payload too large")),
]


@pytest.mark.parametrize(("raw", "text"), V1_REFUSED)
def test_v1alpha1_refuses_by_the_last_rule_that_failed(raw: bytes, text: str) -> None:
    assert told(v1alpha1.parse, raw) == text


def test_v1alpha1_becomes_a_message_of_the_newer_form() -> None:
    raw = v1(uid="7", save_dir="birds/")

    said = accepted(v1alpha1.parse, raw)

    assert said.message.body == {
        "metadata": {
            "id": "owl",
            "runtime": "legacy",
            "tasktype": "text-to-image",
            "prefix": "birds/",
            "context": {},
        },
        "content": {**json.loads(raw), "s3_output_path": "outputs/birds/owl"},
    }
    assert said.message.attributes == {"sd_model_checkpoint": "oils.safetensors"}
    assert said.task.runtime == "studio"


def test_v1alpha1_answers_with_its_own_keys() -> None:
    said = accepted(v1alpha1.parse, v1())

    assert json.dumps(said.answer) == (
        '{"id_task": "owl", "sd_model_checkpoint": "oils.safetensors", '
        '"output_location": "s3://outputs/birds/owl"}'
    )


@pytest.mark.parametrize(
    ("checkpoint", "runtime"),
    [("oils.safetensors [0a1b2c3d4e]", "studio"), ("inks.safetensors", "darkroom")],
)
def test_a_checkpoint_that_the_topic_does_not_know_is_routed_by_name(
    checkpoint: str, runtime: str
) -> None:
    said = accepted(v1alpha1.parse, v1(sd_model_checkpoint=checkpoint))

    assert said.message.attributes == {"sd_model_checkpoint": checkpoint, "runtime": runtime}
    assert said.answer["sd_model_checkpoint"] == checkpoint
    assert said.task.runtime == runtime


def test_a_checkpoint_that_nobody_loads_is_unknown() -> None:
    raw = v1(sd_model_checkpoint="inks.safetensors")

    with pytest.raises(Refused, match="unknown sd_model_checkpoint"):
        v1alpha1.parse(raw, context(dynamic=False))


def of_size(size: int) -> bytes:
    """Make a body whose task's JSON has exactly so many characters."""
    empty = len(json.dumps(json.loads(v2(put("content", "")))["task"]))
    return v2(put("content", "x" * (size - empty)))


def test_the_limit_itself_is_still_allowed() -> None:
    accepted(v1alpha2.parse, of_size(LIMIT))

    assert told(v1alpha2.parse, of_size(LIMIT + 1)) == wrong("payload too large")


def test_size_is_measured_in_escaped_characters_of_the_task_alone() -> None:
    spaced = v2().replace(b'{"task"', b" " * LIMIT + b'{"more": "' + b"x" * LIMIT + b'", "task"')
    accepted(v1alpha2.parse, spaced)

    escaped = v2(put("content", "é" * (LIMIT // 6)))
    assert told(v1alpha2.parse, escaped) == wrong("payload too large")


def nested(depth: int) -> bytes:
    return v2().replace(b'"an owl"', b"[" * depth + b"]" * depth)


@pytest.mark.parametrize(
    "raw",
    [
        v2(put("content", float("nan"))),
        v2(put("content", float("-inf"))),
        v2().replace(b'"an owl"', b"1e999"),
        v2().replace(b'"an owl"', b"9" * 5000),
        v2().replace(b'"an owl"', b'"\\ud800"'),
        v2().replace(b'"an owl"', b'"\xff"'),
        v2().replace(b'"an owl"', b'"\xed\xa0\x80"'),
        v2().replace(b'"an owl"', b'"\n"'),
        b"\xef\xbb\xbf" + v2(),
        v2().decode().encode("utf-16"),
        v2() + b"{}",
        nested(300),
        nested(3000),
        b"[" * 1_000_000,
    ],
)
def test_what_is_not_json_for_everybody_is_refused(raw: bytes) -> None:
    assert told(v1alpha2.parse, raw) == INVALID
    assert told(v1alpha1.parse, raw) == INVALID


def test_deep_but_not_endless_nesting_is_taken() -> None:
    accepted(v1alpha2.parse, nested(100))


def test_a_pair_of_surrogates_is_a_character() -> None:
    raw = v2().replace(b'"an owl"', b'"\\ud83e\\udd89"')

    assert accepted(v1alpha2.parse, raw).message.body["content"] == {"prompt": "\U0001f989"}


def test_of_a_key_given_twice_the_last_counts() -> None:
    raw = v2().replace(b'"id": "owl"', b'"id": "a b", "id": "wren"')

    assert accepted(v1alpha2.parse, raw).answer["id"] == "wren"
