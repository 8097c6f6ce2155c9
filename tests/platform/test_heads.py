"""Heads and pages as they come through Serve's own proxy."""

import httpx
import pytest

from tests.platform.conftest import Watched

pytestmark = pytest.mark.ray


@pytest.mark.parametrize("size", [70_000, 5 * 2**20])
def test_a_large_head_is_refused(up: Watched, size: int) -> None:
    answer = httpx.get(f"{up.address['url']}/healthz", headers={"x": "a" * size}, timeout=60)

    assert (answer.status_code, answer.json()["message"]) == (
        431,
        "Request Header Fields Too Large",
    )


def test_head_and_the_pages_are_answered(up: Watched) -> None:
    url = up.address["url"]
    with httpx.Client(base_url=url, headers={"accept": "text/html"}, timeout=60) as browser:
        start, reference = browser.get("/"), browser.get("/docs")
        head = browser.head("/healthz")

    assert f"{url}/docs" in start.text
    assert "frame-ancestors 'none'" in start.headers["content-security-policy"]
    assert 'id="submitTask"' in reference.text
    assert (head.status_code, head.content) == (200, b"")
