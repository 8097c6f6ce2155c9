"""Examples of the contract, if they lie beside the repository, and what they demand.

An example is a request (or a message on the tasks topic) and what a compatible platform does
with it. The checks know no platform: any client of one can be handed to them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT.parent / "shared" / "contract" / "examples.json"

BUCKET = "outputbucket"
"""Output bucket as the examples name it."""

VALID_KEY = "<valid key>"

Case = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Platform:
    """Running platform as its clients know it."""

    client: httpx.AsyncClient
    """HTTP client whose base URL is the platform's."""
    key: str
    bucket: str = BUCKET


def cases(*layers: str) -> list[pytest.ParameterSet]:
    """Examples of these layers as parameters of a test; a visible skip if there are none."""
    if not EXAMPLES.exists():
        reason = "the contract's examples do not lie beside the repository"
        return [pytest.param({}, id="no-examples", marks=pytest.mark.skip(reason=reason))]
    found = json.loads(EXAMPLES.read_text())
    return [pytest.param(case, id=case["name"]) for case in found if case["layer"] in layers]


def asks_dynamic_runtime(case: Case) -> bool:
    """Tell whether an example needs the runtime that loads any checkpoint.

    Only where there is none an unknown checkpoint is unknown, as another example wants it.
    """
    match case:
        case {"body": {"task": {"metadata": {"runtime": "dynruntime"}}}}:
            return True
        case _:
            return False


async def answer(case: Case, platform: Platform) -> httpx.Response:
    """Send what the example sends."""
    headers = {
        name: platform.key if value == VALID_KEY else value
        for name, value in case["headers"].items()
    }
    url = httpx.URL(str(platform.client.base_url).rstrip("/") + case["path"])
    return await platform.client.request(
        case["method"], url, headers=headers, content=content(case)
    )


def content(case: Case) -> bytes | None:
    """Read the bytes of the example's body."""
    match case:
        case {"body_generator": {"fill": str(fill), "length": int(length), "base": str(base)}}:
            return _generated(base, fill * length)
        case {"body_raw": raw}:
            return None if raw is None else str(raw).encode()
        case _:
            return json.dumps(case["body"]).encode()


def assert_answers(case: Case, response: httpx.Response, bucket: str = BUCKET) -> None:
    """Check that the answer is the one that the contract wants."""
    expected = case["expected"]
    assert response.status_code in _statuses(expected), response.text
    if "content_type" in expected:
        assert response.headers["content-type"].split(";")[0] == expected["content_type"]
    if "body_text" in expected:
        assert response.text == expected["body_text"]
    if "body" in expected:
        _assert_body(_in_bucket(expected["body"], bucket), response, expected)


def assert_published(case: Case, message: str, attributes: Mapping[str, str]) -> None:
    """Check that the message is the reference's; it may have more attributes."""
    reference = case["reference_publish"]
    assert json.loads(message) == reference["message"]
    for name, given in reference["message_attributes"].items():
        # The reference loses a runtime's name in another case; ours is the configured one.
        value = given["StringValue"]
        assert attributes[name] == (value.lower() if name == "runtime" else value)


def assert_notified(case: Case, notification: Mapping[str, Any], bucket: str = BUCKET) -> None:
    """Check that the notification has what the example's has; strings of URLs are patterns."""
    for key, wanted in _in_bucket(case["notification"]["body_pattern"], bucket).items():
        assert key in notification
        _assert_like(wanted, notification[key])


def _generated(base: str, filling: str) -> bytes:
    if base == "any":
        return json.dumps({"task": filling}).encode()
    metadata = {
        "id": "ex-large",
        "runtime": "sdruntime",
        "tasktype": "image-to-image",
        "prefix": "renders",
    }
    task = {"metadata": metadata, "content": {"init_images": [filling]}}
    return json.dumps({"task": task}).encode()


def _statuses(expected: Mapping[str, Any]) -> list[int]:
    return expected["status_any"] if "status_any" in expected else [expected["status"]]


def _in_bucket(wanted: Any, bucket: str) -> Any:
    return json.loads(json.dumps(wanted).replace(f"s3://{BUCKET}/", f"s3://{bucket}/"))


def _assert_body(wanted: Any, response: httpx.Response, expected: Mapping[str, Any]) -> None:
    body = response.json()
    for key in expected.get("allowed_extra_keys", ()):
        if key not in wanted:
            body.pop(key, None)
    assert body == wanted
    assert list(body) == list(wanted)
    assert response.text.isascii()


def _assert_like(wanted: Any, given: Any) -> None:
    match wanted:
        case list():
            assert len(given) == len(wanted)
            for one, other in zip(wanted, given, strict=True):
                _assert_like(one, other)
        case str() if wanted.startswith("^"):
            assert re.search(wanted, given), f"{given} is not like {wanted}"
        case _:
            assert given == wanted
