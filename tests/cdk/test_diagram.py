"""Diagram in README.md, a Mermaid source that GitHub renders: it shows parts that are deployed.

Comments of the source name the resource types that a part is made of, ``%% edge: AWS::…, AWS::…``;
rounded parts, ``clients(["…"])``, are outside of the stack.
"""

import re

from tests.cdk.conftest import Synthesized
from tests.docs.pages import blocks

(SOURCE,) = (block.text for block in blocks("README.md") if block.language == "mermaid")
PARTS = dict(re.findall(r'^ +(\w+)([\[(]\S?)"', SOURCE, re.MULTILINE))
"""Parts, with the brackets that give them their shape."""
TYPES = {
    part: types.split(", ")
    for part, types in re.findall(r"^ +%% (\w+): (.+)$", SOURCE, re.MULTILINE)
}
ARROWS = [line.split(" --> ") for line in SOURCE.splitlines() if " --> " in line]


def test_each_part_of_the_diagram_is_in_the_stack(whole: Synthesized) -> None:
    there = {each["Type"] for each in whole.json["Resources"].values()}

    assert {one for types in TYPES.values() for one in types} <= there


def test_each_part_of_the_diagram_but_those_outside_says_what_it_is_made_of() -> None:
    assert TYPES.keys() == {part for part, shape in PARTS.items() if shape != "(["}


def test_each_part_of_the_diagram_has_an_arrow_and_each_arrow_two_parts() -> None:
    assert {part.strip() for parts in ARROWS for part in parts} == PARTS.keys()
