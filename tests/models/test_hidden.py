"""Messages are shown without what may be a secret, and not at any length."""

import json
from typing import Any

import pytest

from models.hidden import cut, shown, shown_attributes


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ({"api_key": "S3CRET"}, "S3CRET"),
        ({"context": {"apiKey": ["S3CRET"]}}, "S3CRET"),
        ({"Authorization": "S3CRET"}, "S3CRET"),
        ({"password": {"now": "S3CRET"}}, "S3CRET"),
        ({"access_token": "S3CRET"}, "S3CRET"),
        ({"callback": {"url": "https://me:S3CRET@host/told"}}, "S3CRET"),
        ({"image": "https://host/a.png?X-Amz-Signature=S3CRET"}, "S3CRET"),
        ({"image": "s3://bucket/a.png#S3CRET"}, "S3CRET"),
        ({"note": "use whsec_S3CRET= for it"}, "S3CRET"),
        ({"note": "Authorization: Bearer S3CRET"}, "S3CRET"),
        ({"note": "AKIAABCDEFGHIJKLMNOP"}, "AKIAABCDEFGHIJKLMNOP"),
    ],
)
def test_what_may_be_a_secret_is_hidden(value: Any, secret: str) -> None:
    text = json.dumps(value)
    for given in (text, text[:-1]):  # the second is no JSON
        assert secret not in shown(given, 1_000)


@pytest.mark.parametrize(
    "value",
    [
        {
            "prompt": "a secret garden, key light, author: Bo",
            "token_merging_ratio": 0.5,
            "steps": 8,
        },
        {"url": "s3://bucket/folder/a.png", "context": {"order": 7}},
    ],
)
def test_all_else_is_shown_as_it_is(value: Any) -> None:
    assert json.loads(shown(json.dumps(value), 1_000)) == value


def test_pictures_and_long_texts_are_cut() -> None:
    body = {"init_images": ["iVBOR" * 1_000], "prompt": "red " * 1_000}
    told = json.loads(shown(json.dumps(body), 10_000))

    assert told["init_images"][0].endswith("… (5000 characters)")
    assert len(told["init_images"][0]) == 120
    assert len(told["prompt"]) == 2_000
    assert cut("abc" * 100, 30).endswith("… (300 characters)")
    assert len(shown("x " * 1_000, 50)) == 50


def test_attributes_are_hidden_by_their_names() -> None:
    told = shown_attributes({"runtime": "painter", "x-api-key": "S3CRET", "long": "y" * 900}, 100)

    assert told["runtime"] == "painter"
    assert told["x-api-key"] == "(hidden)"
    assert len(told["long"]) == 100


def test_what_is_nested_deeply_ends() -> None:
    deep = "[" * 150 + '"S3CRET"' + "]" * 150

    assert "S3CRET" not in shown(deep, 10_000)
