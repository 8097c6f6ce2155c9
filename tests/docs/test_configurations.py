"""Configurations of the documents are taken by the platform."""

from pathlib import Path

import pytest

from cli import profiles
from tests.docs.configurations import WrongConfiguration, check
from tests.docs.pages import PAGES, Block, blocks
from tests.docs.ways import Way, way_of

ALL = [block for page in PAGES for block in blocks(page)]


def of(way: Way) -> list[Block]:
    return [block for block in ALL if way_of(block) is way]


@pytest.mark.parametrize("block", of(Way.CONFIGURATION), ids=str)
def test_a_configuration_is_right(block: Block, tmp_path: Path) -> None:
    check(block.text, tmp_path)


@pytest.mark.parametrize("block", of(Way.PROFILES), ids=str)
def test_profiles_are_right(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    profiles.path().parent.mkdir(parents=True)
    profiles.path().write_text(block.text)

    assert profiles.read()


def test_a_wrong_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongConfiguration, match="maxAttempt"):
        check("tasks: {maxAttempt: 3}", tmp_path)
