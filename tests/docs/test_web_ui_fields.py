"""Fates of the Web UI's fields and settings: one for each of them, and told on the page."""

from itertools import combinations

from models.runtimes.diffusers import fields, setting_names
from models.runtimes.diffusers.overrides import Overrides
from tests.docs.web_ui_fields import KINDS, PAGE, page, section


def test_the_page_has_the_tables_that_the_code_makes() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.docs.web_ui_fields"


def test_a_field_has_one_fate() -> None:
    honoured = {name for model in KINDS.values() for name in model.model_fields}
    refused = [fields.DRAWN, fields.SECOND_PASS_REFUSED, fields.PAINTED_OVER, fields.UPSCALED]

    for one, other in combinations([honoured, *refused, fields.IGNORED], 2):
        assert not set(one) & set(other)


def test_a_setting_has_one_fate() -> None:
    honoured = set(Overrides.model_fields) - {"sd_vae"}  # taken with the values of its refusal

    assert not honoured & set(setting_names.REFUSED)
    assert not honoured & set(setting_names.IGNORED)
    assert not set(setting_names.REFUSED) & set(setting_names.IGNORED)


def test_what_is_honoured_is_known() -> None:
    honoured = {name for model in KINDS.values() for name in model.model_fields}

    assert honoured <= fields.KNOWN


def test_all_that_is_known_is_on_the_page() -> None:
    told = section()

    assert not [name for name in fields.KNOWN if f"`{name}`" not in told]
