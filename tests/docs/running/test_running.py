"""Run the commands and programs of each page in their order as they stand, on one platform."""

import json

import pytest

from tests.docs.likeness import difference
from tests.docs.pages import PAGES, Block, blocks
from tests.docs.running.workplace import Workplace
from tests.docs.ways import Way, way_of
from tests.platform.conftest import until

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

_RUN = {Way.SHELL, Way.PYTHON, Way.OUTPUT}


def of(page: str) -> list[Block]:
    return [block for block in blocks(page) if way_of(block) in _RUN]


@pytest.mark.parametrize("page", [page for page in PAGES if of(page)])
def test_a_page_does_what_it_says(page: str, workplace: Workplace) -> None:
    for block in of(page):
        match way_of(block):
            case Way.SHELL:
                workplace.shell(block)
            case Way.PYTHON:
                workplace.python(block)
            case Way.OUTPUT:
                assert block.after is not None
                wrong = difference(block.text, workplace.said[block.after])
                assert wrong is None, f"{block}: {wrong}"
    until(lambda: not workplace.unfinished(), seconds=120)

    assert workplace.failed() == {}, f"tasks of {page} failed"


def test_the_notification_is_as_shown(workplace: Workplace) -> None:
    (block,) = (b for b in blocks("README.md") if b.shows == "notification")
    told = until(lambda: workplace.notification("first", "mine"))

    assert difference(block.text, json.dumps(told)) is None


ANSWERS = [block for page in PAGES for block in blocks(page) if block.shows == "answer"]


@pytest.mark.parametrize("block", ANSWERS, ids=str)
def test_an_answer_is_as_shown(block: Block, workplace: Workplace) -> None:
    answer = workplace.platform.post("/v1/tasks", json.loads(block.request))

    assert difference(block.text, answer.text) is None
