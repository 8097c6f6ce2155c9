import re
from collections.abc import Mapping, Set as AbstractSet
from functools import cache
from pathlib import Path

from cdk.stack import Platform
from tests.cdk import graph
from tests.cdk.conftest import Synthesized

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
SECTION = re.compile(r"^### `(?P<role>[^`]+)`\n(?P<text>.*?)(?=^##)", re.MULTILINE | re.DOTALL)
PERMISSION = re.compile(r"`([a-z0-9-]+:[A-Z][A-Za-z]*\*?|A[A-Za-z0-9_]*(?:Policy|Role|Only|Logs))`")


@cache
def documented() -> Mapping[str, AbstractSet[str]]:
    """Return what each role may do, as the page says."""
    found = SECTION.finditer(PAGE.read_text())
    return {each["role"]: {*PERMISSION.findall(each["text"])} for each in found}


def test_the_page_says_of_every_role_what_it_may_do(whole: Synthesized, platform: Platform) -> None:
    roles = whole.resources("AWS::IAM::Role")
    real = {
        path: graph.actions(whole.json, name)
        for name, path in graph.paths(platform).items()
        if name in roles
    }

    assert len(real) == len(roles)
    assert documented() == real


def test_each_policy_of_karpenter_is_named(whole: Synthesized, platform: Platform) -> None:
    paths = graph.paths(platform)
    named = {paths[name].rpartition("/")[2] for name in whole.resources("AWS::IAM::ManagedPolicy")}

    assert len(named) == 6
    assert named <= {*re.findall(r"^\| ([A-Z][A-Za-z]+) \|", PAGE.read_text(), re.MULTILINE)}
