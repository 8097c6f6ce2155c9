"""Links are whole values of fields that can hold a picture."""

import base64
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from deployments.inputs.fields import (
    image_links,
    inline_pictures,
    is_link,
    plain_link,
    with_inputs,
)

A, B, C = "https://example.com/a.png", "http://example.com/b.png", "s3://bucket/c.png"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from([A, B, C]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (A, A),
        (B, B),
        (C, C),
        ("s3://bucket/in/my photo.png", "s3://bucket/in/my photo.png"),
        ("S3://bucket/My.png", "s3://bucket/My.png"),
        ("HTTPS://example.com/A.png", "https://example.com/A.png"),
        (f"\n {A}\t", A),
    ],
)
def test_a_link_may_have_blanks_and_capitals(value: str, plain: str) -> None:
    assert is_link(value)
    assert plain_link(value) == plain
    assert image_links({"init_images": [value]}) == [value]


@pytest.mark.parametrize("value", [A, B, C])
def test_a_link_is_a_whole_string(value: str) -> None:
    assert is_link(value)


@pytest.mark.parametrize(
    "value", ["http is a protocol", "see " + A, "ftp://host/a", "aGVsbG8=", "", None, 3, [A]]
)
def test_nothing_else_is(value: Any) -> None:
    assert not is_link(value)


@pytest.mark.parametrize(
    ("content", "links"),
    [
        ({"init_images": [A, B]}, [A, B]),
        ({"init_images": [A, A], "mask": A}, [A]),
        ({"mask": B, "image": A, "firstpass_image": C}, [B, A, C]),
        ({"imageList": [{"data": A, "name": "a"}, {"data": "AA=="}]}, [A]),
        ({"alwayson_scripts": {"ControlNet": {"args": [{"input_image": C}]}}}, [C]),
        ({"prompt": A, "negative_prompt": B, "styles": [C]}, []),
        ({"init_images": ["aGVsbG8="]}, []),
        (A, []),
        (None, []),
    ],
)
def test_links_are_found_where_a_picture_can_be(content: Any, links: list[str]) -> None:
    assert image_links(content) == links


PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(60)).decode()
EPS = base64.b64encode(b"%!PS-Adobe-3.0 EPSF-3.0" + b"\n" * 60).decode()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (
            {"init_images": ["AAAA", A, "BBBB", "AAAA"]},
            {"AAAA": "init_images[0]", "BBBB": "init_images[2]"},
        ),
        ({"mask": "AAAA", "image": ""}, {"AAAA": "mask"}),
        (
            {"imageList": [{"data": "AAAA", "name": "a.png"}, "BBBB"]},
            {"AAAA": "imageList[0].data", "BBBB": "imageList[1]"},
        ),
        ({"alwayson_scripts": {"image_link": "AAAA"}}, {"AAAA": "alwayson_scripts.image_link"}),
        (
            {"alwayson_scripts": {"ControlNet": {"args": [{"image": PNG, "module": "canny"}]}}},
            {PNG: "alwayson_scripts.ControlNet.args[0].image"},
        ),
        ({"alwayson_scripts": {"x": [EPS]}}, {EPS: "alwayson_scripts.x[0]"}),
        (
            {"alwayson_scripts": {"x": ["data:image/png;base64,AA"]}},
            {"data:image/png;base64,AA": "alwayson_scripts.x[0]"},
        ),
        ({"alwayson_scripts": {"x": ["A" * 100, "a tram, " * 20, "data:text/plain,a"]}}, {}),
        ({"prompt": PNG}, {}),
        (None, {}),
    ],
)
def test_pictures_in_the_content_are_found_with_their_fields(
    content: Any, found: dict[str, str]
) -> None:
    assert inline_pictures(content) == found


def test_each_link_is_swapped_and_prose_is_left() -> None:
    content = {"prompt": A, "init_images": [A, "aGVsbG8="], "alwayson_scripts": {"x": [{"y": B}]}}
    swapped = with_inputs(content, {A: "first", B: "second"})

    assert swapped == {
        "prompt": A,
        "init_images": ["first", "aGVsbG8="],
        "alwayson_scripts": {"x": [{"y": "second"}]},
    }
    assert content["init_images"] == [A, "aGVsbG8="]


@settings(deadline=None)  # a busy machine takes its time
@given(st.dictionaries(st.sampled_from(["prompt", "mask", "image", "alwayson_scripts"]), JSON))
def test_a_link_left_over_is_in_no_field_of_a_picture(content: dict[str, Any]) -> None:
    links = image_links(content)
    swapped = with_inputs(content, dict.fromkeys(links, "bytes"))

    assert image_links(swapped) == []
    assert swapped.get("prompt") == content.get("prompt")
    assert with_inputs(content, {}) == content
