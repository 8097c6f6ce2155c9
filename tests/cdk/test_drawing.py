"""The picture in docs/deploy.md is what its source draws, and its source is what is deployed."""

from xml.etree import ElementTree as ET

from cdk.drawing import ARROWS, BOXES, PICTURE, drawn
from tests.cdk.conftest import Synthesized


def test_the_picture_is_what_its_source_draws() -> None:
    """Else: python -m cdk.drawing."""
    assert PICTURE.read_text() == drawn()
    ET.fromstring(drawn())


def test_each_part_of_it_is_in_the_stack(whole: Synthesized) -> None:
    there = {each["Type"] for each in whole.json["Resources"].values()}

    assert {kind for box in BOXES for kind in box.kinds} <= there


def test_no_two_parts_lie_on_each_other_and_arrows_lead_somewhere() -> None:
    names = {box.name for box in BOXES}

    assert len({(box.column, box.row) for box in BOXES}) == len(BOXES)
    assert {end for arrow in ARROWS for end in arrow} == names
