"""Callback calls go to public or allowed servers only, here real ones, and return a status."""

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from deployments.inputs.guard import Resolve
from ingest.callbacks import CallRefused
from models.errors import Unavailable
from serve_app.callbacks import WebPost
from tests.deployments.web import Authority, Names, answer, moved, serving

TLS = ssl.create_default_context()
HEADERS = {"content-type": "application/json", "webhook-id": "msg_1"}


def posting(
    *,
    allow: Sequence[str] = ("site.test",),
    names: Resolve | None = None,
    tls: ssl.SSLContext | None = None,
) -> WebPost:
    return WebPost(allow, resolve=names or Names(), tls=tls)


async def refusal(url: str, names: Names | None = None) -> str:
    with pytest.raises(CallRefused) as refused:
        await posting(allow=(), names=names).post(url, HEADERS, b"{}")
    return str(refused.value)


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "404 Not Found", "503 Away"])
async def test_a_post_tells_the_status_that_came_back(status: str) -> None:
    post = posting()
    async with serving(answer(status=status)) as site:
        told = await post.post(site.url("/hook?a=b"), HEADERS, b'{"a": 1}')

    assert told == int(status[:3])
    (head,) = site.heads
    lines = head.lower().split("\r\n")
    assert lines[0] == "post /hook?a=b http/1.1"
    assert {f"host: site.test:{site.port}", "webhook-id: msg_1", "content-length: 8"} < set(lines)


async def test_a_server_is_called_by_the_name_in_its_url() -> None:
    post = posting(allow=["[fd00::1]"])
    async with serving(answer()) as site:
        await post.post(site.url(host="[fd00::1]"), HEADERS, b"{}")

    assert site.asked == [("127.0.0.1", f"[fd00::1]:{site.port}")]


async def test_a_redirect_is_told_and_not_followed() -> None:
    post = posting()
    async with serving(moved("/b", "308 Permanent Redirect")) as site:
        told = await post.post(site.url("/a"), HEADERS, b"{}")

    assert told == 308
    assert len(site.heads) == 1


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.5", "192.168.1.1", "fd00::1", "169.254.169.254", "0.0.0.0"]
)
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    said = await refusal("https://inside.test/", Names(inside=[address]))

    assert said.startswith("its host inside.test resolves to a")
    assert address not in said


async def test_the_metadata_service_is_opened_by_no_allow_list() -> None:
    names = Names(site=["169.254.169.254"])
    post = posting(names=names)
    with pytest.raises(CallRefused, match="metadata"):
        await post.post("http://site.test/", HEADERS, b"{}")


async def test_it_connects_to_the_address_that_was_checked() -> None:
    """A resolver whose answer changes is asked once only."""
    names = Names(site=["127.0.0.1", "10.0.0.5"])
    post = posting(names=names)
    async with serving(answer()) as site:
        await post.post(site.url(), HEADERS, b"{}")

    assert names.asked["site.test"] == 1
    assert site.asked[0][0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://site.test/", "its scheme is 'ftp', not http or https"),
        ("file:///etc/passwd", "its scheme is 'file', not http or https"),
        ("http:///hook", "it has no host"),
        ("http://me:hidden@site.test/", "it holds a user name or password"),
        ("http://site.test:99999/", "it has no port 99999"),
        ("http://site.test:0/", "it has no port 0"),
        ("http://site.test:hidden:x/", "it is not a URL"),
        ("http://site.test/\n?token=hidden", "it is not a URL"),
    ],
)
async def test_what_is_no_url_of_a_web_server_is_refused(url: str, why: str) -> None:
    said = await refusal(url)

    assert said.startswith(why)


@given(st.text(st.characters(), max_size=60))
async def test_any_other_text_is_refused_or_leads_nowhere(text: str) -> None:
    post = posting(allow=(), tls=TLS)
    with pytest.raises((CallRefused, Unavailable)):
        await post.post(f"http://{text}", HEADERS, b"{}")


async def nowhere(host: str, port: int) -> Sequence[str]:
    return []


async def test_a_name_without_an_address_may_have_one_later() -> None:
    post = posting(names=nowhere)
    with pytest.raises(Unavailable, match=r"its host site\.test was not found"):
        await post.post("http://site.test/", HEADERS, b"{}")


async def test_nobody_at_its_port_is_told_so() -> None:
    async with serving(b"") as site:
        pass
    post = posting()
    with pytest.raises(Unavailable, match="it could not be connected to"):
        await post.post(site.url(), HEADERS, b"{}")


@pytest.mark.parametrize("said", [b"hidden\r\n\r\n", b"HTTP/1.1 hidden\r\n\r\n"])
async def test_what_is_no_http_is_not_repeated(said: bytes) -> None:
    post = posting()
    async with serving(said) as site:
        with pytest.raises(Unavailable) as unavailable:
            await post.post(site.url(), HEADERS, b"{}")

    assert str(unavailable.value) == "it did not answer properly (RemoteProtocolError)"


async def test_a_certificate_is_checked(tmp_path: Path) -> None:
    authority = Authority.made(tmp_path)
    site_tls = authority.server("site.test")
    async with serving(answer(), tls=site_tls) as site:
        url = site.url(scheme="https")
        post = posting(tls=authority.client())
        told = await post.post(url, HEADERS, b"{}")
        post = posting()
        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await post.post(url, HEADERS, b"{}")

    assert told == 200


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    post = posting()
    async with serving(answer()) as site:
        assert await post.post(site.url(), HEADERS, b"{}") == 200


async def test_an_endless_answer_is_left_at_its_status() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 2**16
    post = posting()
    async with serving(endless, hook=[[endless, 60.0]]) as site:
        told = await post.post(site.url("/hook"), HEADERS, b"{}")

    assert told == 200


async def test_calls_that_were_cut_off_leave_no_place_taken() -> None:
    post = posting()
    async with serving(answer(), slow=[[60.0]]) as site:
        for _ in range(100):
            before = len(site.heads)
            call = asyncio.create_task(post.post(site.url("/slow"), HEADERS, b"{}"))
            while len(site.heads) == before:
                await asyncio.sleep(0.001)
            call.cancel()
            await asyncio.wait([call])

        assert await post.post(site.url("/quick"), HEADERS, b"{}") == 200
