"""Table of differences from the Web UI: what was measured stands on the page."""

from tests.docs.web_ui_differences import page
from tests.docs.web_ui_fields import PAGE


def test_the_page_has_the_table_that_was_measured() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.docs.web_ui_differences"
