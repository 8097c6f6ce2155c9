"""Links become bytes, or a refusal that says which link and why. The servers are real."""

import asyncio
import gzip
import time
import zlib
from typing import Any

import pytest

from models.errors import InputRefused
from tests.deployments.inputs.fetching import (
    PNG,
    opened,
    pictures,
    refusal,
)
from tests.deployments.web import Authority, Names, answer, moved


async def test_a_link_becomes_its_bytes() -> None:
    async with pictures() as site, opened() as inputs:
        fetched = await inputs.fetch([site.url()])

    assert fetched == {site.url(): PNG}
    assert site.asked == [("127.0.0.1", f"site.test:{site.port}")]


async def test_nothing_to_fetch_is_nothing() -> None:
    async with opened() as inputs:
        assert await inputs.fetch([]) == {}


async def test_all_links_are_fetched_at_once_and_each_once() -> None:
    slow: list[Any] = [[0.2, answer(PNG)]]
    async with pictures(a=slow, b=slow, c=slow, d=slow) as site, opened() as inputs:
        links = [site.url(f"/{name}") for name in "abcdabcd"]
        start = time.monotonic()
        fetched = await inputs.fetch(links)

    assert time.monotonic() - start < 0.6
    assert list(fetched) == links[:4]
    assert len(site.asked) == 4


async def test_one_refusal_ends_the_others_at_once() -> None:
    gone = answer(status="404 Not Found")
    async with pictures(slow=[[30.0]], gone=[gone]) as site, opened() as inputs:
        start = time.monotonic()
        with pytest.raises(InputRefused, match=r"/gone refused: its server answered 404"):
            await inputs.fetch([site.url("/slow"), site.url("/gone")])

    assert time.monotonic() - start < 2


async def test_too_many_links_are_refused() -> None:
    async with opened() as inputs:
        with pytest.raises(InputRefused, match="33 links are more than 32"):
            await inputs.fetch([f"http://site.test/{n}" for n in range(33)])


async def test_a_connection_is_used_again() -> None:
    async with pictures() as site, opened() as inputs:
        for _ in range(3):
            await inputs.fetch([site.url()])

    assert (len(site.asked), site.connections) == (3, 1)


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("ftp://site.test/a.png", "its scheme is 'ftp', not http or https"),
        ("file:///etc/passwd", "its scheme is 'file', not http or https"),
        ("http:///a.png", "it has no host"),
        ("http://me:secret@site.test/a.png", "it holds a user name or password"),
        ("http://site.test:http/", "it is not a URL"),
        ("http://site.test/\x00", "it is not a URL"),
    ],
)
async def test_what_is_no_plain_web_link_is_refused(link: str, why: str) -> None:
    told = await refusal(link)

    assert why in told
    assert "secret" not in told


async def test_a_private_host_is_refused_unless_it_is_named() -> None:
    async with pictures() as site:
        told = await refusal(site.url(), allow=())
        async with opened(allow=[f"site.test:{site.port}"]) as inputs:
            assert await inputs.fetch([site.url()])

    assert told == (
        f"link {site.url()} refused: its host site.test resolves to a private address;"
        " allow it with inputs.allowHosts"
    )
    assert len(site.asked) == 1


async def test_metadata_is_refused_even_to_a_named_host() -> None:
    told = await refusal("http://site.test/latest", names=Names(site=["169.254.169.254"]))

    assert told.endswith("resolves to a link-local or metadata address")


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    names = Names(site=["127.0.0.2", "127.0.0.1"])
    async with pictures() as site, opened(names=names) as inputs:
        await inputs.fetch([site.url()])

    assert site.asked[0][0] == "127.0.0.2"
    assert names.asked["site.test"] == 1


async def test_a_name_that_turns_private_is_refused_at_its_next_connection() -> None:
    names = Names(rebound=["93.184.216.34", "127.0.0.1"])
    await names("rebound.test", 80)  # a look-up of somebody who checks first and connects later

    assert "private" in await refusal("http://rebound.test/", names=names)


async def test_redirects_are_followed() -> None:
    async with pictures(a=[moved("/b")]) as site, opened() as inputs:
        site.pages["/b"] = [moved(site.url("/c", host="other.test"), "307 Temporary Redirect")]
        fetched = await inputs.fetch([site.url("/a")])

    assert fetched == {site.url("/a"): PNG}
    assert [host.split(":")[0] for _, host in site.asked] == ["site.test"] * 2 + ["other.test"]


async def test_no_more_redirects_than_allowed() -> None:
    async with pictures(a=[moved("/a")]) as site:
        told = await refusal(site.url("/a"), maxRedirects=2)

    assert "it redirects more than 2 times" in told
    assert len(site.asked) == 3


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("http://inside.test/", "its host inside.test resolves to a private address"),
        ("http://169.254.169.254/latest", "link-local or metadata address"),
        ("s3://bucket/picture", "redirects to s3://bucket/picture: its scheme is 's3'"),
        ("file:///etc/passwd", "its scheme is 'file'"),
        ("http://me:secret@site.test/", "it holds a user name or password"),
        ("http://site.test:http/", "it redirects to what is not a URL"),
    ],
)
async def test_a_redirect_is_a_link_like_the_first(target: str, why: str) -> None:
    names = Names(**{"169": ["169.254.169.254"]})
    async with pictures(a=[moved(target)]) as site:
        told = await refusal(site.url("/a"), names=names)

    assert why in told
    assert "secret" not in told


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "404 Not Found"])
async def test_an_answer_without_a_picture_is_refused(status: str) -> None:
    async with pictures(a=[answer(status=status)]) as site:
        told = await refusal(site.url("/a"))

    assert f"its server answered {status[:3]}" in told
    assert len(site.asked) == 1


async def test_a_server_in_trouble_is_asked_once_more() -> None:
    trouble = answer(status="503 Service Unavailable")
    async with pictures(a=[trouble, answer(PNG)], b=[trouble]) as site, opened() as inputs:
        assert await inputs.fetch([site.url("/a")])
        with pytest.raises(InputRefused, match="its server answered 503"):
            await inputs.fetch([site.url("/b")])

    assert len(site.asked) == 4


async def test_a_server_that_is_not_there_is_told() -> None:
    async with pictures() as site:
        pass

    assert "its host site.test did not answer properly" in await refusal(site.url())


async def test_a_broken_answer_is_told() -> None:
    async with pictures(a=[b"SSH-2.0-OpenSSH_9\r\n\r\n"]) as site:
        assert "its host site.test did not answer properly" in await refusal(site.url("/a"))


async def test_a_slow_server_is_not_waited_for() -> None:
    drip: list[Any] = [answer(PNG)[:-20], *[0.1, b"\x00"] * 50]
    async with pictures(a=[drip], b=[[30.0]]) as site:
        start = time.monotonic()
        told = [await refusal(site.url(path), timeoutSeconds=0.3) for path in ("/a", "/b")]

    assert all(text.endswith("refused: it took over 0.3 s") for text in told)
    assert time.monotonic() - start < 2


async def test_slow_links_do_not_use_up_the_connections() -> None:
    async with pictures(slow=[[30.0]]) as site, opened(timeoutSeconds=0.3) as inputs:
        slow = [[site.url(f"/slow?{n}")] for n in range(20)]
        ends = await asyncio.gather(*map(inputs.fetch, slow), return_exceptions=True)
        fetched = await inputs.fetch([site.url()])

    assert all(isinstance(end, InputRefused) for end in ends)
    assert fetched == {site.url(): PNG}


async def test_what_is_announced_as_too_large_is_not_read() -> None:
    head: Any = [answer(Content_Length=10_001), 30.0]
    async with pictures(a=[head]) as site:
        assert "larger than 10000 bytes" in await refusal(site.url("/a"), maxBytes=10_000)


async def test_what_turns_out_too_large_is_not_read_on() -> None:
    chunk = b"1000\r\n" + bytes(0x1000) + b"\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with pictures(a=[[head, chunk * 3, 30.0]]) as site:
        assert "larger than 10000 bytes" in await refusal(site.url("/a"), maxBytes=10_000)


async def test_what_was_packed_anyway_is_unpacked() -> None:
    packed = [gzip.compress(PNG), zlib.compress(PNG)]
    pages = [[answer(body, Content_Encoding="gzip")] for body in packed]
    async with pictures(a=pages[0], b=pages[1]) as site, opened() as inputs:
        fetched = await inputs.fetch([site.url("/a"), site.url("/b")])

    assert list(fetched.values()) == [PNG, PNG]
    assert "Accept-Encoding: identity" in site.heads[0]


@pytest.mark.parametrize(
    ("body", "encoding", "why"),
    [
        (gzip.compress(bytes(10_000_000)), "gzip", "larger than 100000 bytes"),
        (gzip.compress(PNG)[:-9], "gzip", "its gzip data ends too soon"),
        (PNG, "gzip", "it says it is gzip and is not"),
        (PNG, "br", "it is encoded as 'br'"),
    ],
    ids=["large", "cut", "none", "other"],
)
async def test_packed_bombs_do_not_go_off(body: bytes, encoding: str, why: str) -> None:
    async with pictures(a=[answer(body, Content_Encoding=encoding)]) as site:
        assert why in await refusal(site.url("/a"), maxBytes=100_000)


async def test_a_web_link_may_have_blanks_and_capitals() -> None:
    async with pictures() as site, opened() as inputs:
        link = f" HTTP{site.url('/my photo.png').removeprefix('http')}\n"
        fetched = await inputs.fetch([link])

    assert fetched == {link: PNG}
    assert site.heads[0].startswith("GET /my%20photo.png ")


async def test_a_message_keeps_a_signed_link_s_secret_and_is_short() -> None:
    signed = await refusal("http://gone.test/a.png?X-Amz-Signature=secret", allow=())
    long = await refusal(f"http://gone.test/{'x' * 5000}", allow=())

    assert signed.startswith("link http://gone.test/a.png?… refused: ")
    assert len(long) < 400


async def test_proxies_and_cookies_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with pictures(a=[answer(PNG, Set_Cookie="a=b; Path=/")]) as site, opened() as inputs:
        for _ in range(2):
            await inputs.fetch([site.url("/a")])

    assert len(site.asked) == 2
    assert "cookie" not in site.heads[1].lower()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.made(tmp_path_factory.mktemp("tls"))


async def test_a_certificate_is_checked_against_the_name(authority: Authority) -> None:
    said: list[str | None] = []
    context = authority.server("site.test")
    context.sni_callback = lambda _, name, __: said.append(name)
    async with pictures(tls=context) as site, opened(tls=authority.client()) as inputs:
        assert await inputs.fetch([site.url(scheme="https")])

    assert said == ["site.test"]


async def test_two_names_at_one_address_share_no_connection(authority: Authority) -> None:
    """The first name's connection is open and idle; the second name's certificate is wrong."""
    server, client = authority.server("site.test"), authority.client()
    async with pictures(tls=server) as site, opened(tls=client) as inputs:
        await inputs.fetch([site.url(scheme="https")])
        with pytest.raises(InputRefused, match="CERTIFICATE_VERIFY_FAILED"):
            await inputs.fetch([site.url(scheme="https", host="other.test")])

    assert len(site.asked) == 1


async def test_an_unknown_authority_is_refused(authority: Authority) -> None:
    async with pictures(tls=authority.server("site.test")) as site:
        assert "CERTIFICATE_VERIFY_FAILED" in await refusal(site.url(scheme="https"))


async def test_a_redirect_to_less_security_is_refused(authority: Authority) -> None:
    async with pictures(tls=authority.server("site.test"), a=[moved("http://site.test/")]) as site:
        told = await refusal(site.url("/a", scheme="https"), tls=authority.client())

    assert "it redirects from https to http" in told
