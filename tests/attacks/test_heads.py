"""Heads of requests that are too large, ask for two things at once, or are no HTTP."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest

from serve_app.request_head import LARGEST_HEAD, LONGEST_TARGET, MOST_FIELDS
from tests.attacks.raw import sent
from tests.serve_app.world import KEY, World
from tests.serving import served


@dataclass(frozen=True)
class Attack:
    """A request and the status that it is answered with."""

    target: str = "/v1/tasks"
    fields: str = ""
    status: int = 200
    method: str = "GET"
    version: str = "HTTP/1.1"
    host: str | None = "front.example"
    key: str | None = KEY
    body: str = ""
    says: str = ""
    """Part of the answer."""

    @property
    def request(self) -> bytes:
        host = "" if self.host is None else f"Host: {self.host}\r\n"
        key = "" if self.key is None else f"x-api-key: {self.key}\r\n"
        head = f"{self.method} {self.target} {self.version}\r\n{host}{key}{self.fields}"
        return f"{head}Connection: close\r\n\r\n{self.body}".encode("latin-1")


MALFORMED, TOO_LARGE, TOO_LONG = "malformed-head", "head-too-large", "url-too-long"
MEBIBYTE = 2**20
TASK = json.dumps({"kind": "text-to-image", "content": {}})

ATTACKS: Mapping[str, Attack] = {
    "one large field": Attack(fields=f"x: {'a' * LARGEST_HEAD}\r\n", status=431, says=TOO_LARGE),
    "a field of 5 MiB": Attack(fields=f"x: {'a' * 5 * MEBIBYTE}\r\n", status=431, says=TOO_LARGE),
    "a name of 5 MiB": Attack(fields=f"{'a' * 5 * MEBIBYTE}: x\r\n", status=431, says=TOO_LARGE),
    "many fields": Attack(fields="x: y\r\n" * MOST_FIELDS, status=431, says=TOO_LARGE),
    "100,000 fields": Attack(fields="x: y\r\n" * 100_000, status=431, says=TOO_LARGE),
    "fields just within": Attack(fields="x: y\r\n" * (MOST_FIELDS - 3)),
    "many fields at a contract's path": Attack(
        "/v1alpha2", "x: y\r\n" * MOST_FIELDS, 431, "POST", says="at most 100 header fields"
    ),
    "an overlong path": Attack(f"/v1/tasks/{'a' * LONGEST_TARGET}", status=414, says=TOO_LONG),
    "an overlong query": Attack(f"/v1/tasks?x={'a' * LONGEST_TARGET}", status=414, says=TOO_LONG),
    "an overlong path elsewhere": Attack(f"/{'a' * 20_000}", status=414, says="at most 16384"),
    "a path of a mebibyte": Attack(f"/{'a' * MEBIBYTE}", status=400),
    "two keys": Attack(fields="X-Api-Key: another\r\n", status=400, says=MALFORMED),
    "the same key twice": Attack(fields=f"x-api-key: {KEY}\r\n", status=400, says=MALFORMED),
    "two keys at a contract's path": Attack(
        "/v1alpha2", "x-api-key: another\r\n", 400, "POST", says="once each"
    ),
    "two hosts": Attack(fields="Host: other.example\r\n", status=400, says=MALFORMED),
    "two idempotency keys": Attack(
        fields="Idempotency-Key: a\r\nIdempotency-Key: b\r\n", status=400, says=MALFORMED
    ),
    "a host with markup": Attack(host="<script>alert(1)</script>", status=400, says=MALFORMED),
    "a host with a path": Attack(host="front.example/evil?", status=400, says=MALFORMED),
    "a host with a user": Attack(host="front.example@evil.example", status=400, says=MALFORMED),
    "a host with a space": Attack(host="front evil", status=400, says=MALFORMED),
    "a host with a quote": Attack(host="a'b", status=400, says=MALFORMED),
    "a host with no port": Attack(host="front.example:", status=400, says=MALFORMED),
    "a host with six digits of port": Attack(host="front:123456", status=400, says=MALFORMED),
    "a host that is not ASCII": Attack(host="fröny.example", status=400, says=MALFORMED),
    "an IPv6 host": Attack(host="[::1]:8000", says='"tasks"'),
    "a name as Compose makes them": Attack(host="my_front:8000", says='"tasks"'),
    "no host": Attack(host=None, says='"tasks"'),
    "an empty host": Attack(host="", says='"tasks"'),
    "HTTP/1.0": Attack(host=None, version="HTTP/1.0", says='"tasks"'),
    "an absolute target": Attack("http://evil.example/v1/tasks?limit=1", says='"tasks"'),
    "an absolute target without a path": Attack("http://evil.example", status=400),
    "the asterisk": Attack("*", method="OPTIONS", status=404, says="hint"),
    "a method of no meaning": Attack(method="BREW", status=400, key=None),
    "TRACE": Attack(method="TRACE", status=405, says="GET, HEAD, POST"),
    "a length that is no number": Attack(fields="Content-Length: many\r\n", status=400),
    "a negative length": Attack(fields="Content-Length: -1\r\n", status=400),
    "two lengths": Attack(fields="Content-Length: 1\r\nContent-Length: 2\r\n", status=400),
    "two equal lengths": Attack(
        "/v1/tasks",
        f"Content-Length: {len(TASK)}\r\n" * 2,
        400,
        "POST",
        body=TASK,
    ),
    "length and chunks": Attack(
        "/v1/tasks",
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        400,
        "POST",
        body="0\r\n\r\n",
    ),
    "chunks that are not the last coding": Attack(
        "/v1/tasks", "Transfer-Encoding: chunked, gzip\r\n", 400, "POST", body="0\r\n\r\n"
    ),
    "a chunk that is no number": Attack(
        "/v1/tasks", "Transfer-Encoding: chunked\r\n", 400, "POST", body="zz\r\n\r\n"
    ),
    "a space before the colon": Attack(fields="x : y\r\n", status=400),
    "a folded field": Attack(fields="x: y\r\n z\r\n", status=400),
    "NUL in a field": Attack(fields="x: a\0b\r\n", status=400),
    "NUL in the target": Attack("/v1/tasks\0", status=400),
    "a bare line feed in a field": Attack(fields="x: a\nx-api-key: b\r\n", status=400),
}


@pytest.fixture(scope="module")
async def front() -> AsyncIterator[str]:
    world = World()
    async with served(world.app) as url:
        yield url
    await world.feed.close()


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
async def test_a_head_is_answered_as_it_should_be(front: str, attack: Attack) -> None:
    status, answer = await sent(front, attack.request)

    assert status == attack.status, answer[:500]
    assert attack.says.encode() in answer


async def test_no_attack_stopped_the_front(front: str) -> None:
    status, answer = await sent(front, Attack("/healthz", key=None).request)

    assert (status, answer.endswith(b'{"status":"ok"}')) == (200, True)
