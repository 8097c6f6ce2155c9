"""Links and callbacks that lead inside: none is connected to, and no refusal tells what is there.

The guard, the resolver and the servers are real; a name's addresses stand in a book where a row has
one. A victim listens on every address of this machine.
"""

from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
from typing_extensions import override

from deployments.inputs.fetch import Inputs
from deployments.inputs.guard import Resolve, resolve
from ingest.callbacks import CallRefused
from ingest.memory import MemoryObjects
from models.errors import InputRefused, Unavailable
from models.settings.groups import Inputs as Limits
from serve_app.callbacks import WebPost
from tests.deployments.web import Names, Site, answer, moved, serving

LOOPBACK: Mapping[str, str] = {
    "plain": "127.0.0.1",
    "another of its network": "127.8.8.8",
    "one dot": "127.1",
    "decimal": "2130706433",
    "hex": "0x7f000001",
    "hex with dots": "0x7f.0x0.0x0.0x1",
    "octal": "017700000001",
    "octal with dots": "0177.0.0.01",
    "octal, hex and decimal": "0177.0x0.1",
    "a dot behind": "127.0.0.1.",
    "any address": "0.0.0.0",
    "any address, short": "0",
    "a name": "localhost",
    "a name in capitals": "LOCALHOST",
    "a name with a dot behind": "localhost.",
    "IPv6": "[::1]",
    "IPv6 in full": "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "any IPv6": "[::]",
    "IPv4 mapped": "[::ffff:127.0.0.1]",
    "IPv4 mapped, hex": "[::ffff:7f00:1]",
    "IPv4 mapped, in full": "[0:0:0:0:0:ffff:127.0.0.1]",
    "IPv4 compatible": "[::127.0.0.1]",
    "IPv4 translated": "[::ffff:0:127.0.0.1]",
    "NAT64": "[64:ff9b::127.0.0.1]",
    "NAT64, hex": "[64:ff9b::7f00:1]",
    "NAT64 of one's own": "[64:ff9b:1::127.0.0.1]",
    "6to4": "[2002:7f00:1::]",
    "Teredo": "[2001:0:7f00:1::]",
    "ISATAP": "[2606:4700::5efe:127.0.0.1]",
    "a zone": "[fe80::1%25eth0]",
    "a zone, not encoded": "[fe80::1%eth0]",
    "a zone of loopback": "[::1%25lo]",
    "digits in circles": "①②⑦.⓪.⓪.①",
    "wide digits": "１２７.0.0.1",  # noqa: RUF001 - such digits are the attack
    "Arabic digits": "١٢٧.0.0.1",
    "ideographic dots": "127。0。0。1",
    "letters in circles": "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "NUL behind": "127.0.0.1%00.example.com",
    "percent-encoded": "%31%32%37.0.0.1",
    "a soft hyphen": "local\u00adhost",
}
PRIVATE: Mapping[str, str] = {
    "10": "10.0.0.5",
    "172.16": "172.16.0.1",
    "192.168": "192.168.0.1",
    "shared by carriers": "100.64.0.1",
    "benchmarks": "198.18.0.1",
    "documents": "203.0.113.7",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "multicast": "224.0.0.1",
    "IPv6, unique and local": "[fc00::1]",
    "IPv6, site-local": "[fec0::1]",
    "IPv6, documents": "[2001:db8::1]",
    "IPv6, multicast": "[ff02::1]",
    "NAT64": "[64:ff9b::10.0.0.5]",
}
METADATA: Mapping[str, str] = {
    "EC2": "169.254.169.254",
    "EC2, decimal": "2852039166",
    "EC2, hex": "0xa9fea9fe",
    "EC2, octal": "025177524776",
    "EC2 by IPv6": "[fd00:ec2::254]",
    "EC2 by IPv6 in full": "[fd00:0ec2:0:0:0:0:0:254]",
    "EC2, mapped": "[::ffff:169.254.169.254]",
    "EC2, mapped, hex": "[::ffff:a9fe:a9fe]",
    "EC2, NAT64": "[64:ff9b::a9fe:a9fe]",
    "EC2, 6to4": "[2002:a9fe:a9fe::]",
    "ECS": "169.254.170.2",
    "EKS": "169.254.170.23",
    "EKS by IPv6": "[fd00:ec2::23]",
    "Alibaba": "100.100.100.200",
    "Azure": "168.63.129.16",
    "Oracle": "192.0.0.192",
    "link-local": "[fe80::a9fe:a9fe]",
}
NAMES: Mapping[str, Sequence[str]] = {
    "inside": ["10.1.2.3"],
    "metadata": ["169.254.169.254"],
    "mapped": ["::ffff:10.1.2.3"],
    "unique": ["fd12::7"],
}
"""Names that resolve to what no refusal may tell."""
FORMS: Mapping[str, str] = {
    "a user": "http://user@127.0.0.1:{port}/",
    "a password": "http://user:hidden@127.0.0.1:{port}/",
    "a user that looks like a host": "http://example.com@127.0.0.1:{port}/",
    "an encoded user": "http://example.com%40127.0.0.1:{port}/",
    "a host that looks like a user": "http://127.0.0.1:{port}@example.invalid/",
    "a fragment": "http://example.invalid#@127.0.0.1:{port}/",
    "a backslash": "http://example.invalid\\@127.0.0.1:{port}/",
    "a backslash for a slash": "http:\\\\127.0.0.1:{port}/",
    "one slash": "http:/127.0.0.1:{port}/",
    "no slash": "http:127.0.0.1:{port}/",
    "three slashes": "http:///127.0.0.1:{port}/",
    "a scheme in capitals": "HTTP://127.0.0.1:{port}/",
    "a tab": "http://127.0.0\t.1:{port}/",
    "a line feed": "http://127.0.0.1:{port}/\n",
    "another head": "http://127.0.0.1:{port}/ HTTP/1.1\r\nX: y",
    "a blank first": " http://127.0.0.1:{port}/",
    "half of a character": "http://127.0.0.1:{port}/\ud83d",
    "a port too large": "http://127.0.0.1:{port}0000/",
    "no port": "http://127.0.0.1:/",
    "a bracket": "http://[::1:{port}/",
    "gopher": "gopher://127.0.0.1:{port}/_x",
    "file": "file:///etc/passwd",
    "file on a host": "file://127.0.0.1/etc/passwd",
    "ftp": "ftp://127.0.0.1:{port}/",
    "data": "data:text/plain,x",
    "dict": "dict://127.0.0.1:{port}/info",
    "javascript": "javascript:alert(1)",
    "unix": "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
}
HOSTS = {
    f"{kind}: {name}": f"http://{host}:{{port}}/x.png"
    for kind, hosts in {"loopback": LOOPBACK, "private": PRIVATE, "metadata": METADATA}.items()
    for name, host in hosts.items()
}
LINKS = HOSTS | {f"form: {name}": link for name, link in FORMS.items()}
REDIRECT = "http://site.test:{port}/moved"


OBJECTS: Mapping[str, str] = {
    "no key": "s3://bucket",
    "an empty key": "s3://bucket/",
    "no bucket": "s3:///picture.png",
    "nothing": "s3://",
    "a user": "s3://user:hidden@bucket/picture.png",
    "a port": "s3://bucket:80/picture.png",
    "a query for a bucket": "s3://bucket?x/picture.png",
    "another bucket": "s3://secrets/picture.png",
    "another bucket, encoded": "s3://%62ucket/picture.png",
    "another bucket, by its folder": "s3://bucket/../secrets/picture.png",
    "this folder": "s3://bucket/./picture.png",
    "NUL": "s3://bucket/picture.png\0.jpg",
    "a line feed": "s3://bucket/a\nb",
    "half of a character": "s3://bucket/\ud83d",
    "a long key": "s3://bucket/" + "x" * 1025,
    "an address for a bucket": "s3://169.254.169.254/latest",
}


class Untouched(MemoryObjects):
    """A store that is not to be asked."""

    @override
    async def get(self, uri: str, limit: int | None = None) -> bytes | None:
        raise AssertionError(uri)


@pytest.mark.parametrize("link", OBJECTS.values(), ids=OBJECTS.keys())
async def test_no_link_to_an_odd_object_reaches_the_store(link: str) -> None:
    reader = Inputs(Limits(), Untouched(), frozenset({"bucket"}))

    with pytest.raises(InputRefused) as told:
        await reader.fetch([link])

    await reader.close()
    assert "hidden" not in str(told.value)
    assert len(str(told.value)) < 500


@pytest.fixture
async def victim() -> AsyncIterator[Site]:
    async with serving(answer(b"what is inside")) as site:
        yield site


def inputs(names: Resolve = resolve, *, allow: Sequence[str] = ()) -> Inputs:
    limits = Limits.model_validate({"allowHosts": tuple(allow), "timeoutSeconds": 5})
    return Inputs(limits, MemoryObjects(), frozenset(), resolve=names)


async def refusal(link: str, names: Resolve = resolve, *, allow: Sequence[str] = ()) -> str:
    reader = inputs(names, allow=allow)
    try:
        with pytest.raises(InputRefused) as refused:
            await reader.fetch([link])
    finally:
        await reader.close()
    return str(refused.value)


async def uncalled(url: str, names: Resolve = resolve, *, allow: Sequence[str] = ()) -> str:
    """Make a callback that must fail, and return the reason."""
    with pytest.raises((CallRefused, Unavailable)) as refused:
        await WebPost(allow, resolve=names).post(url, {}, b"{}")
    return str(refused.value)


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS.keys())
async def test_no_link_leads_inside(victim: Site, link: str) -> None:
    told = await refusal(link.format(port=victim.port))

    assert victim.connections == 0
    assert "hidden" not in told


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS.keys())
async def test_no_callback_leads_inside(victim: Site, link: str) -> None:
    told = await uncalled(link.format(port=victim.port))

    assert victim.connections == 0
    assert "hidden" not in told


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS.keys())
async def test_no_redirect_leads_inside(victim: Site, link: str) -> None:
    target = link.format(port=victim.port).encode("utf-8", "replace").decode()
    victim.pages["/moved"] = [moved(target)]

    told = await refusal(REDIRECT.format(port=victim.port), Mixed(), allow=["site.test"])

    assert {asked for _, asked in victim.asked} == {f"site.test:{victim.port}"}
    assert "hidden" not in told


class Mixed(Names):
    """Names of the book, and the system's for the rest."""

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        known = host.endswith(".test")
        return await super().__call__(host, port) if known else await resolve(host, port)


@pytest.mark.parametrize("host", METADATA.values(), ids=METADATA.keys())
async def test_no_setting_opens_metadata(victim: Site, host: str) -> None:
    for refused in (refusal, uncalled):
        told = await refused(f"http://{host}:{victim.port}/", allow=[host])

        assert "link-local or metadata address" in told


@pytest.mark.parametrize("name", NAMES)
async def test_a_refusal_does_not_tell_what_a_name_resolves_to(name: str) -> None:
    for refused in (refusal, uncalled):
        told = await refused(f"http://{name}.test/", Names(**NAMES))

        assert f"its host {name}.test resolves to a" in told
        assert not [address for address in NAMES[name] if address in told]


async def test_a_host_that_is_allowed_and_away_does_not_tell_its_address() -> None:
    async with serving(answer()) as gone:
        link = gone.url()
    for refused in (refusal, uncalled):
        told = await refused(link, Names(), allow=["site.test"])

        assert "127.0.0.1" not in told


@pytest.mark.parametrize("answers", [["93.184.216.34", "127.0.0.1"], ["93.184.216.34", "::1"]])
async def test_a_name_that_turns_private_is_not_followed(
    victim: Site, answers: Sequence[str]
) -> None:
    """Whoever asked for its address before, the connection goes where the guard has looked."""
    names = Names(rebound=answers)
    await names("rebound.test", victim.port)

    for refused in (refusal, uncalled):
        assert "a private address" in await refused(victim.url(host="rebound.test"), names)
    assert victim.connections == 0


async def test_of_a_name_with_two_faces_neither_is_trusted(victim: Site) -> None:
    async def both(host: str, port: int) -> Sequence[str]:
        del host, port
        return ["93.184.216.34", "127.0.0.1"]

    for refused in (refusal, uncalled):
        assert "a private address" in await refused(victim.url(host="both.test"), both)
    assert victim.connections == 0
