"""Contents judged without a replica: right ones pass, each mistake is named at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from atelier import Kind
from cli.payload import payload
from deployments.runtimes.diffusers import samplers
from models.errors import TaskFailed
from models.runtimes import TYPES, runtime_type
from models.runtimes.content import MOST_FAULTS, Fault, in_one_line, nearest, refuse, shown
from models.runtimes.contents import Contents
from models.runtimes.diffusers.samplers import SAMPLERS, SCHEDULES
from models.settings.groups import Runtime
from tests.contracts.examples import Case, cases
from tests.models.runtimes.corpus import OPTIONS, PICTURE, RIGHT, WRONG, options

SAMPLES = Path(__file__).resolve().parents[3] / "samples" / "tasks"
BASE64 = "A" * 100_000


@pytest.mark.parametrize(("name", "kind", "content"), RIGHT)
def test_what_is_right_has_no_faults(name: str, kind: Kind, content: Any) -> None:
    assert list(TYPES[name].faults(kind, content, options(name))) == []


@pytest.mark.parametrize(("name", "kind", "content", "wrong"), WRONG)
def test_every_mistake_is_named_by_its_field(
    name: str, kind: Kind, content: Any, wrong: Mapping[str, str]
) -> None:
    found = {each.field: each.message for each in TYPES[name].faults(kind, content, options(name))}

    assert found.keys() == wrong.keys()
    for field, message in wrong.items():
        assert message in found[field]


@pytest.mark.parametrize("path", sorted(SAMPLES.rglob("*.json")), ids=str)
def test_every_sample_is_right_for_the_runtimes_that_it_is_for(path: Path) -> None:
    task = payload(path.read_text()).task

    for name in (path.parent.name, "fake"):
        assert list(TYPES[name].faults(task.kind, task.content, options(name))) == []


def accepted() -> list[pytest.ParameterSet]:
    """List the contract's examples that a runtime gets; a visible skip where there are none."""
    return [each for each in cases("validator", "topic") if each.marks or _asked(each.values[0])]


def _asked(case: Any) -> tuple[str, Any] | None:
    """Return the kind and content of an example that is accepted."""
    message = case.get("message") or (case.get("reference_publish") or {}).get("message")
    match message:
        case {"metadata": {"tasktype": kind}, "content": dict(content)}:
            return kind, content
    return None


@pytest.mark.parametrize("case", accepted())
def test_the_contents_of_the_contract_are_right_for_the_runtimes_of_the_reference(
    case: Case,
) -> None:
    asked = _asked(case)
    assert asked is not None
    kind, content = asked
    name = "comfyui" if kind == Kind.PIPELINE else "sdwebui"

    assert list(TYPES[name].faults(kind, content, options(name))) == []


def test_a_kind_that_a_type_does_not_describe_is_not_judged() -> None:
    assert TYPES["diffusers"].faults("sculpture", 3, options("diffusers")) == ()


def test_a_wrong_value_is_told_in_few_words_whatever_it_is() -> None:
    content = {
        "steps": BASE64,
        "sampler_name": BASE64,
        BASE64: 1,
        "tiling": {BASE64: [BASE64]},
        "seed": 10**5000,
        "width": [BASE64],
        "init_images": [f"***{BASE64}"],
        "mask": f"***{BASE64}",
        "override_settings": {BASE64: BASE64},
        "alwayson_scripts": {BASE64: [1]},
    }
    faults = TYPES["diffusers"].faults("image-to-image", content, options("diffusers"))

    assert len(faults) == 10
    assert all(len(str(fault)) < 500 for fault in faults)


def test_of_many_faults_the_first_are_told() -> None:
    graph: dict[str, Any] = {str(n): {} for n in range(500)}
    faults = TYPES["comfyui"].faults("pipeline", graph, options("comfyui"))

    assert len(faults) == MOST_FAULTS
    assert in_one_line(faults).endswith("; and more")


def test_classes_that_a_runtime_does_not_allow_are_faults() -> None:
    comfyui = TYPES["comfyui"]
    allowing = comfyui.options.read({**OPTIONS["comfyui"], "allowNodes": ["A"]}, under="options")
    graph = {"1": {"class_type": "B", "inputs": {}}, "2": {"class_type": "A", "inputs": {}}}

    [fault] = comfyui.faults("pipeline", graph, allowing)

    assert str(fault) == "1.class_type: 'B' is a class that options.allowNodes lacks"


def test_what_is_refused_is_told_in_one_line() -> None:
    refuse([])
    with pytest.raises(TaskFailed, match=r"^steps: too few; content: wrong$"):
        refuse([Fault("steps", "too few"), Fault("", "wrong")])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (None, "None"),
        ("short", "'short'"),
        (BASE64, "a text of 100000 characters"),
        ([], "[]"),
        ([1, 2], "a list of 2"),
        ({"a": 1}, "an object of 1"),
        (10**50, "a number of many digits"),
    ],
)
def test_a_value_is_shown_shortly(value: Any, text: str) -> None:
    assert shown(value) == text


def test_a_misspelt_name_is_found_however_long_it_is() -> None:
    assert nearest("stepps", ["steps", "seed"]) == "steps"
    assert nearest("CFG_scale", ["hr_scale", "cfg_scale"]) == "cfg_scale"
    assert nearest("x" * 10**6, ["steps"]) is None


def test_the_names_that_are_judged_are_those_that_can_paint() -> None:
    for name in SAMPLERS:
        for schedule in SCHEDULES:
            found = samplers.sampler(name, schedule)
            assert found.name == name
            assert schedule in ("Automatic", found.schedule)


def test_contents_are_judged_under_the_options_of_their_runtime() -> None:
    runtimes = [
        Runtime(name="one", type="diffusers", options={"maxPictures": 1}),
        Runtime(name="more", type="diffusers"),
        Runtime(name="own", type="of_somebody_else"),
    ]
    contents = Contents.of(runtimes, runtime_type)
    two = {"batch_size": 2}

    assert [each.field for each in contents.faults("one", "text-to-image", two)] == ["batch_size"]
    assert not contents.faults("more", "text-to-image", two)
    assert not contents.faults("own", "text-to-image", 3)
    assert not contents.schemas("own")
    assert contents.schemas("one")[Kind.TEXT_TO_IMAGE]["properties"]["batch_size"]["maximum"] == 1


def test_a_picture_is_looked_at_no_further_than_its_beginning() -> None:
    picture = PICTURE * 200_000 + "***"
    content = {"init_images": [picture]}

    assert not TYPES["diffusers"].faults("image-to-image", content, options("diffusers"))
