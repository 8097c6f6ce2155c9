"""JSON Schemas of contents, which agree with the judges of the contents."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings, strategies as st

from cli.payload import payload
from deployments.adapter import RuntimeSpec
from deployments.runtimes.fake import FakeAdapter
from models.runtimes import TYPES
from models.task import Kind, Task
from tests.models.runtimes.corpus import GRAPH, PICTURE, SWAGGER, options

SAMPLES = Path(__file__).resolve().parents[3] / "samples" / "tasks"
BETWEEN_FIELDS = {
    *("batch_size", "width", "hr_scale", "init_images"),
    *("eta", "s_churn", "s_noise", "hr_checkpoint_name"),
}
"""Fields that are told where two of them do not go together."""
OFFERS = [(name, kind) for name, type_ in TYPES.items() for kind in sorted(type_.kinds)]
WORDS = st.text(st.characters(codec="ascii", categories=["L", "Nd", "Zs"]), max_size=8)


def schema(name: str, kind: Kind) -> Mapping[str, Any]:
    return TYPES[name].schemas(options(name))[kind]


def values(described: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Generate values that a part of our schemas accepts."""
    match described:
        case {"enum": [*choices]}:
            made: st.SearchStrategy[Any] = st.sampled_from(choices)
        case {"anyOf": [*kinds]}:
            made = st.one_of(*map(values, kinds))
        case {"pattern": str(pattern)}:
            made = st.from_regex(pattern, fullmatch=True).map(str.strip)
        case {"type": "array"}:
            inner = values(described.get("items", {}))
            made = st.lists(inner, min_size=described.get("minItems", 0), max_size=3)
        case {"type": "object"}:
            made = objects(described)
        case _:
            made = scalars(described)
    return made


def scalars(described: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    most = described.get("maximum", described.get("exclusiveMaximum", 10**6 + 1) - 1)
    above = described.get("exclusiveMinimum")
    least = described.get("minimum", 0) if above is None else above
    return {
        "integer": st.integers(int(least), int(most)),
        "number": st.floats(least, most, exclude_min=above is not None),
        "string": st.just(PICTURE) if _is_picture(described) else WORDS,
        "boolean": st.booleans(),
        "null": st.none(),
    }.get(described.get("type", ""), WORDS | st.integers() | st.none())


def _is_picture(described: Mapping[str, Any]) -> bool:
    return described.get("minLength", 0) > 0 or "description" not in described


def objects(described: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: values(inner) for name, inner in described.get("properties", {}).items()}
    needed = set(described.get("required", ()))
    return st.fixed_dictionaries(
        {name: fields[name] for name in needed},
        optional={name: inner for name, inner in fields.items() if name not in needed},
    )


@pytest.mark.parametrize(("name", "kind"), OFFERS)
def test_a_schema_is_one_and_can_stand_anywhere(name: str, kind: Kind) -> None:
    made = schema(name, kind)

    jsonschema.Draft202012Validator.check_schema(made)
    assert "$ref" not in json.dumps(made)


@pytest.mark.parametrize(("name", "kind"), [each for each in OFFERS if each[0] != "comfyui"])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_what_a_schema_accepts_is_not_refused(data: st.DataObject, name: str, kind: Kind) -> None:
    described = schema(name, kind)
    content = data.draw(values(described))
    jsonschema.Draft202012Validator(described).validate(content)

    faults = TYPES[name].faults(kind, content, options(name))

    assert {fault.field for fault in faults} <= BETWEEN_FIELDS, content


@settings(max_examples=15, deadline=None)
@given(content=values(TYPES["fake"].schemas(options("fake"))[Kind.TEXT_TO_IMAGE]))
async def test_what_the_judge_accepts_the_simulated_runtime_runs(content: Any) -> None:
    ends = ("fail", "vanish", "crash")
    content = {key: value for key, value in content.items() if key not in ends}
    adapter = FakeAdapter(RuntimeSpec(name="faked", options={"gpuMs": 0, "width": 8, "height": 8}))
    task = Task(submission="s", id="t", runtime="faked", kind=Kind.TEXT_TO_IMAGE, content=content)

    if not TYPES["fake"].faults(task.kind, content, options("fake")):
        assert [step async for step in adapter.run(task, {})]


@pytest.mark.parametrize("path", sorted(SAMPLES.rglob("*.json")), ids=str)
def test_the_samples_are_as_the_schemas_say(path: Path) -> None:
    task = payload(path.read_text()).task

    jsonschema.validate(task.content, schema(path.parent.name, task.kind))


@pytest.mark.parametrize("name", ["diffusers", "sdwebui"])
def test_what_the_web_uis_own_page_sends_is_as_the_schemas_say(name: str) -> None:
    jsonschema.validate(SWAGGER, schema(name, Kind.TEXT_TO_IMAGE))


def test_a_wrapped_graph_is_as_the_schema_says() -> None:
    jsonschema.validate({"prompt": GRAPH, "client_id": "x"}, schema("comfyui", Kind.PIPELINE))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"1": {"inputs": {}}}, schema("comfyui", Kind.PIPELINE))
