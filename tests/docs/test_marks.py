"""Blocks are tried, or marked with the reason why not; links and paths are there."""

import re
from collections import Counter

import pytest

from tests.docs.pages import NEEDS, PAGES, ROOT, SHOWS, Block, blocks, headings, links, spans
from tests.docs.ways import way_of

ALL = [block for page in PAGES for block in blocks(page)]
MARKED = {
    "aws": 4,
    "cluster": 1,
    "comfyui": 2,
    "docker": 1,
    "gpu": 3,
    "minutes": 13,
    "network": 4,
    "platform": 6,
    "webui": 2,
}
"""Number of blocks with each mark: who adds one says here that nothing less would do."""

_PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:md|py|yaml|json|txt|sh)")


@pytest.mark.parametrize("block", [b for b in ALL if b.place == "fence"], ids=str)
def test_a_block_is_tried_or_says_why_not(block: Block) -> None:
    assert way_of(block), f"{block} is neither run, nor checked, nor marked"


def test_marks_have_reasons_of_the_list() -> None:
    assert {need for block in ALL for need in block.needs} <= NEEDS.keys()
    assert {block.shows for block in ALL if block.shows} <= SHOWS.keys()


def test_a_new_mark_is_counted_here() -> None:
    assert Counter(need for block in ALL for need in block.needs) == MARKED


def test_a_block_without_a_way_is_found() -> None:
    text = "```\nfree text\n```\n\n<!-- needs: aws -->\n```sh\naws s3 ls\n```\n"

    free, marked = blocks("README.md", text)

    assert way_of(free) is None
    assert marked.needs == ("aws",)
    assert way_of(marked)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        if "://" in link or path.startswith("mailto:"):
            continue
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page}: {link}"
        if anchor:
            name = str(target.resolve().relative_to(ROOT))
            assert anchor in set(headings(name)), f"{page}: {link}"


@pytest.mark.parametrize("page", PAGES)
def test_paths_of_the_repository_are_there(page: str) -> None:
    tops = {path.name for path in ROOT.iterdir() if path.is_dir()}
    for span in spans(page):
        if _PATH.fullmatch(span) and span.partition("/")[0] in tops and "/" in span:
            assert (ROOT / span).exists(), f"{page}: {span}"
