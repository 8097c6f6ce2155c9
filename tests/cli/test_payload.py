"""Payload files, which say themselves what they are."""

import json
from pathlib import Path
from typing import Any

import pytest

from atelier import Kind, Misused
from cli.payload import payload

ROBOT = {"prompt": "a tin robot"}
GRAPH = {"3": {"class_type": "KSampler", "inputs": {"seed": 5}}}
METADATA = {
    "id": "robot",
    "runtime": "sdruntime",
    "tasktype": "image-to-image",
    "prefix": "toys",
    "context": {"order": 42},
}
V1 = {name: what for name, what in METADATA.items() if name != "tasktype"} | {
    "kind": "image-to-image",
    "content": ROBOT,
}
LEGACY = {
    "alwayson_scripts": {
        "task": "text-to-image",
        "id_task": "robot",
        "sd_model_checkpoint": "shapes.safetensors",
        "save_dir": "toys",
    },
    **ROBOT,
}


def told(body: Any) -> dict[str, Any]:
    return payload(json.dumps(body)).task.model_dump(mode="json", exclude_unset=True)


@pytest.mark.parametrize(
    "body",
    [
        V1,
        {"task": {"metadata": METADATA, "content": ROBOT}},
        {"metadata": METADATA, "content": ROBOT},
    ],
    ids=["v1", "v1alpha2", "message"],
)
def test_a_task_may_be_in_any_dialect(body: Any) -> None:
    assert told(body) == V1


@pytest.mark.parametrize(
    ("callback", "read"),
    [
        ("https://example.org", {"url": "https://example.org"}),
        (
            {"url": "https://example.org", "events": ["failed"]},
            {"url": "https://example.org", "events": ["failed"]},
        ),
    ],
)
def test_a_message_may_have_a_callback(callback: Any, read: Any) -> None:
    body = {"metadata": {**METADATA, "callback": callback}, "content": ROBOT}

    assert told(body)["callback"] == read


def test_a_message_need_not_say_everything() -> None:
    body = {"metadata": {"tasktype": "extra-batch-image", "id": 7, "prefix": None}, "content": {}}

    assert told(body) == {"kind": "extra-batch-images", "content": {}, "id": "7"}


def test_the_whole_body_of_the_oldest_dialect_is_its_content() -> None:
    assert told(LEGACY) == {
        "kind": "text-to-image",
        "content": LEGACY,
        "id": "robot",
        "prefix": "toys",
    }
    assert payload(json.dumps(LEGACY)).checkpoint == "shapes.safetensors"


@pytest.mark.parametrize("body", [GRAPH, {"prompt": GRAPH, "client_id": "me"}])
def test_a_graph_is_a_pipeline(body: Any) -> None:
    assert told(body) == {"kind": "pipeline", "content": GRAPH}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (ROBOT, Kind.TEXT_TO_IMAGE),
        ({**ROBOT, "alwayson_scripts": {"controlnet": {}}}, Kind.TEXT_TO_IMAGE),
        ({**ROBOT, "init_images": ["AAAA"]}, Kind.IMAGE_TO_IMAGE),
        ({"image": "AAAA", "upscaling_resize": 2}, Kind.EXTRA_SINGLE_IMAGE),
        ({"imageList": [{"data": "AAAA", "name": "a"}]}, Kind.EXTRA_BATCH_IMAGES),
    ],
)
def test_a_body_of_the_web_ui_is_known_by_its_fields(body: Any, kind: Kind) -> None:
    assert told(body) == {"kind": kind.value, "content": body}


def test_a_workflow_of_the_editor_is_refused_with_the_way_out() -> None:
    workflow = {"nodes": [{"id": 1, "type": "KSampler"}], "links": [], "version": 0.4}

    with pytest.raises(Misused, match=r"Workflow > Export \(API\)"):
        told(workflow)


@pytest.mark.parametrize("body", [[], 7, "robot", None, {}, {"steps": 3}, {"metadata": {}}])
def test_anything_else_is_refused_with_what_there_is(body: Any) -> None:
    with pytest.raises(Misused, match=r"neither a task of /v1.*ComfyUI graph in API format"):
        told(body)


@pytest.mark.parametrize("text", ["", "{", '{"prompt": NaN}', "[" * 100_000])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(Misused, match="not JSON"):
        payload(text)


def test_a_wrong_field_is_named() -> None:
    with pytest.raises(Misused, match="kind: Input should be 'text-to-image'"):
        told({"kind": "sculpture", "content": {}})
    with pytest.raises(Misused, match="promt: unknown key; allowed: callback, content"):
        told({"kind": "pipeline", "content": {}, "promt": "a"})


SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "tasks"


@pytest.mark.parametrize("sample", sorted(SAMPLES.rglob("*.json")), ids=lambda path: path.stem)
def test_a_sample_is_of_the_kind_that_its_name_says(sample: Path) -> None:
    kind = payload(sample.read_text()).task.kind
    named = {known.value: known for known in Kind}.get(sample.name.partition(".")[0])
    other = Kind.PIPELINE if sample.parent.name == "comfyui" else Kind.TEXT_TO_IMAGE

    assert kind == (named or other)


@pytest.mark.parametrize("key", ["contnt", "Content", "contents"])
def test_a_misspelt_key_of_a_task_is_named(key: str) -> None:
    with pytest.raises(Misused, match=f"{key}: unknown key; did you mean 'content'"):
        told({"kind": "text-to-image", key: ROBOT})
    with pytest.raises(Misused, match="content: is missing"):
        told({"kind": "text-to-image"})
    with pytest.raises(Misused, match="prefx: unknown key; did you mean 'prefix'"):
        told({"kind": "text-to-image", "content": ROBOT, "prefx": "a"})
