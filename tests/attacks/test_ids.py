"""Ids and submissions that no task can have: nothing is found by them, and nothing written."""

import json
from collections.abc import AsyncIterator, Mapping
from urllib.parse import quote

import pytest
from typing_extensions import override

from ingest.memory import MemoryLedger
from models.fence import Fence
from models.report import Report
from tests.attacks.raw import sent
from tests.serve_app.world import KEY, World
from tests.serving import served

IMPOSSIBLE = {
    "NUL": "%00",
    "NUL inside": "owl%00.png",
    "a line feed": "a%0ab",
    "an escape of terminals": "%1b%5b2J",
    "the folder above": "..%2f..%2fetc",
    "the folder above, once more encoded": "%2e%2e/x",
    "this folder": "a/%2e/b",
    "empty segments": "a%2f%2fb",
    "a slash first": "%2fetc%2fpasswd",
    "a slash last": "owl%2f",
    "too long for a key": "x" * 500,
    "too many bytes for a key": quote("😀" * 130),
}
UNKNOWN = {
    "bytes that are not UTF-8": "%ff%fe",
    "an escape that is none": "a%zz",
    "encoded twice": "%252e%252e%252fx",
    "markup": "%3Cscript%3E",
    "a template": "%7B%7B7*7%7D%7D",
    "a query for another table": "'%20OR%201%3D1",
    "a number sign": "a%23b",
    "text from right to left": quote("\u202egpj.owl"),
    "wide letters": "%EF%BD%8F%EF%BD%97%EF%BD%8C",
}
SUBMISSIONS = ("", "%00", "../x", "a%20b", "x" * 129, "a%0ab", "%C3%A9", "a/b", "*")
METHODS = ("GET", "DELETE")


class Ledger(MemoryLedger):
    """A ledger that keeps what it was asked to cancel."""

    def __init__(self) -> None:
        super().__init__()
        self.cancelled: list[str] = []

    @override
    async def cancel(
        self, id: str, submission: str, fence: Fence, key: str | None = None
    ) -> Report | None:
        self.cancelled.append(id)
        return await super().cancel(id, submission, fence, key)


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture(scope="module")
async def front(ledger: Ledger) -> AsyncIterator[str]:
    world = World(ledger=ledger)
    async with served(world.app) as url:
        yield url
    await world.feed.close()


def request(method: str, target: str) -> bytes:
    fields = f"Host: front.example\r\nx-api-key: {KEY}\r\nConnection: close"
    return f"{method} {target} HTTP/1.1\r\n{fields}\r\n\r\n".encode()


def problem(answer: bytes) -> Mapping[str, str]:
    told: Mapping[str, str] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return told


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("given", (IMPOSSIBLE | UNKNOWN).values(), ids=IMPOSSIBLE | UNKNOWN)
async def test_no_task_is_found_by_it(front: str, ledger: Ledger, method: str, given: str) -> None:
    status, answer = await sent(front, request(method, f"/v1/tasks/{given}"))

    assert (status, problem(answer)["type"]) == (404, "urn:atelier:not-found")
    assert not ledger.cancelled


@pytest.mark.parametrize("given", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
async def test_no_cancel_is_kept_for_an_impossible_id(
    front: str, ledger: Ledger, given: str
) -> None:
    status, _ = await sent(front, request("DELETE", f"/v1/tasks/{given}?submission=s1"))

    assert status == 404
    assert not ledger.cancelled


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("given", SUBMISSIONS)
async def test_a_submission_that_can_be_none_is_refused(
    front: str, ledger: Ledger, method: str, given: str
) -> None:
    status, answer = await sent(front, request(method, f"/v1/tasks/owl?submission={given}"))

    assert (status, problem(answer)["type"]) == (422, "urn:atelier:invalid-request")
    assert not ledger.cancelled


async def test_of_two_submissions_none_is_cancelled(front: str, ledger: Ledger) -> None:
    target = "/v1/tasks/owl?submission=s1&submission=s2"

    status, _ = await sent(front, request("DELETE", target))

    assert status == 422
    assert not ledger.cancelled
