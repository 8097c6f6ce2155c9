"""Settings: each changes something that is deployed, or is reported by name to change nothing."""

import pytest

from models.settings.reference_table import MEANS_NOTHING, TRANSLATED
from models.settings.unused import unused_on_aws
from tests.cdk.conftest import Synthesized
from tests.cdk.walk import PAGE
from tests.cdk.walk.changes import after, before, read
from tests.cdk.walk.effects import alike, effects
from tests.cdk.walk.extra import (
    AS_IT_IS,
    EXAMPLES,
    MEANINGLESS,
    becomes,
    with_value,
    without_value,
)
from tests.cdk.walk.leaves import Leaf, leaves
from tests.cdk.walk.page import page
from tests.cdk.walk.template import Templates, changed, looked_at, resources

LEAVES = [pytest.param(leaf, id=leaf.path) for leaf in leaves()]


@pytest.fixture(scope="session")
def templates(
    whole: Synthesized, china: Synthesized, tmp_path_factory: pytest.TempPathFactory
) -> Templates:
    other = changed(tmp_path_factory.mktemp("cdk.changed"))
    return Templates(resources(whole.json), resources(china.json), other)


def complaints(given: dict[str, object]) -> set[str]:
    return {*unused_on_aws(read(given))}


def test_the_page_says_what_each_setting_changes(templates: Templates) -> None:
    said, true = PAGE.read_text().splitlines(), page(templates).splitlines()
    remedy = "python -m tests.cdk.walk writes it anew"

    assert sorted({*said} - {*true}) == sorted({*true} - {*said}) == [], remedy
    assert said == true


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_setting_has_an_effect_or_is_told_to_have_none(
    leaf: Leaf, request: pytest.FixtureRequest
) -> None:
    old, new = before(leaf.path), after(leaf)
    found = effects(leaf, old, new)
    if not found and leaf.path in looked_at():  # else nobody has to wait for a stack
        found = request.getfixturevalue("templates").effects(leaf)
    told = complaints(new) - complaints(old)

    assert bool(found) != bool(told), f"{leaf.path}: changes {sorted(found)}, and is told: {told}"


def test_every_chart_value_that_is_taken_is_looked_at() -> None:
    assert {*EXAMPLES, *AS_IT_IS} == {*TRANSLATED}
    assert {*MEANINGLESS} >= MEANS_NOTHING


@pytest.mark.parametrize(("path", "value"), EXAMPLES.items(), ids=EXAMPLES)
def test_a_chart_value_has_an_effect(path: str, value: object) -> None:
    old, new = without_value(), with_value(path, value)

    found = [effects(leaf, old, new) for leaf in becomes(path)]

    assert any(found), f"extraValues.{path}: changes nothing"
    assert complaints(new) == complaints(old)


@pytest.mark.parametrize(("path", "value"), MEANINGLESS.items(), ids=MEANINGLESS)
def test_a_chart_value_without_an_effect_is_told_by_its_name(path: str, value: object) -> None:
    old, new = without_value(), with_value(path, value)
    [told] = complaints(new) - complaints(old)

    assert path in told
    assert alike(old, new), f"extraValues.{path}: changes something"
