"""Runtimes are found by name, by checkpoint and by the kinds of task that they can do."""

from models.settings.groups import Runtime
from models.task import Kind
from serve_app.runtimes import Runtimes

STATIC = Runtime(name="static", type="fake", modelFilename="a.safetensors")
DYNAMIC = Runtime(name="dynamic", type="graphs", dynamicModel=True)
KINDS = {"fake": frozenset({Kind.TEXT_TO_IMAGE}), "graphs": frozenset({Kind.PIPELINE})}


def runtimes(*configured: Runtime) -> Runtimes:
    return Runtimes.of(configured, KINDS.__getitem__)


def test_a_checkpoint_leads_to_its_runtime_or_to_one_that_loads_any() -> None:
    both, only = runtimes(DYNAMIC, STATIC), runtimes(STATIC)

    assert both.of_checkpoint("a.safetensors") == STATIC
    assert both.of_checkpoint("ghost.safetensors") == DYNAMIC
    assert only.of_checkpoint("ghost.safetensors") is None


def test_a_name_is_found_in_any_case() -> None:
    assert runtimes(STATIC).named("Static") == STATIC
    assert runtimes(STATIC).named("ghost") is None


def test_a_runtime_can_do_what_its_type_can() -> None:
    both = runtimes(DYNAMIC, STATIC)

    assert both.kinds("dynamic") == {Kind.PIPELINE}
    assert both.kinds("ghost") == frozenset()
    assert both.able(Kind.TEXT_TO_IMAGE) == ["static"]
