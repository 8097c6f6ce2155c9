"""CHANGELOG.md has a dated section for each version, and what is new above them."""

import re
import tomllib
from datetime import date

from tests.docs.pages import ROOT

HEADINGS = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_the_newest_version_is_the_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    unreleased, newest, *_ = HEADINGS

    assert unreleased == "Unreleased"
    assert newest.split()[0] == project["version"]


def test_versions_are_dated_newest_first() -> None:
    days = [re.fullmatch(r"\d+\.\d+\.\d+ \((.+)\)", heading) for heading in HEADINGS[1:]]
    dates = [date.fromisoformat(day[1]) for day in days if day]

    assert len(dates) == len(days)
    assert dates == sorted(dates, reverse=True)
