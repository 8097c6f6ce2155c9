"""Clients of AWS: retries, timeouts and errors, over a recording server."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from ingest.aws.client import Clients, publishing, translated
from ingest.aws.s3 import S3Objects
from ingest.aws.sns import SnsTopic
from models.errors import PublicationRefused, Unavailable
from tests.ingest.wire import recorded

ENVIRONMENT: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "secret-key",
    "AWS_EC2_METADATA_DISABLED": "true",
}
TOPIC = "arn:aws:sns:us-east-1:000000000000:topic"
REFUSED = ClientError({"Error": {"Code": "AccessDenied", "Message": "arn:… may not"}}, "PutObject")


@pytest.fixture
async def clients(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clients]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    async with Clients("us-east-1") as clients:
        yield clients


async def test_an_object_is_sent_at_once(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """Round trips are spent neither on ``100 Continue`` nor on a checksum in a trailer."""
    async with recorded() as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        await S3Objects(clients).put("s3://bucket/a.png", b"12345", "image/png")
        (head,) = wire.heads()

        assert head.startswith("put /bucket/a.png http/1.1")
        assert "content-type: image/png" in head
        assert "content-length: 5" in head
        assert "expect:" not in head
        assert "x-amz-checksum" not in head
        assert "x-amz-trailer" not in head
        await clients.aclose()


async def test_an_object_without_a_key_is_not_sent(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object without a key would have the address of its bucket."""
    async with recorded() as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        with pytest.raises(Unavailable, match="ParamValidationError"):
            await S3Objects(clients).put("s3://bucket/", b"", "text/plain")

        assert wire.requests == []


async def test_connections_are_kept(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    async with recorded() as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        first = await clients.s3()
        for _ in range(3):
            await S3Objects(clients).put("s3://bucket/a", b"", "text/plain")

        assert await clients.s3() is first
        assert len(wire.requests) == 3
        await clients.aclose()


async def test_a_failing_service_is_asked_once_directly_and_three_times_by_the_sdk(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded("HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n") as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        with pytest.raises(Unavailable, match="S3 PutObject: 503"):
            await S3Objects(clients).put("s3://bucket/a", b"x", "text/plain")

        assert len(wire.requests) == 1 + 3
        await clients.aclose()


async def test_an_endpoint_that_does_not_answer_is_unavailable(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused_tcp_port}")

    with pytest.raises(Unavailable, match=r"^SNS Publish: EndpointConnectionError$"):
        await SnsTopic(clients, TOPIC).publish("x", {"runtime": "painter"})


async def test_a_body_that_breaks_off_is_unavailable(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded(
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n123"
    ) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        with pytest.raises(Unavailable, match="S3 GetObject"):
            await S3Objects(clients).get("s3://bucket/a")
        await clients.aclose()


async def test_too_large_an_object_is_not_read(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server promises a body that it never sends; reading it would wait for ever."""
    async with recorded("HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n") as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        async with asyncio.timeout(5):
            with pytest.raises(ValueError, match="more than 10"):
                await S3Objects(clients).get("s3://bucket/a", limit=10)
        await clients.aclose()


@pytest.mark.parametrize(
    ("region", "endpoint", "start"),
    [
        ("us-east-1", None, "https://bucket.s3.amazonaws.com/a%20b.png?"),
        ("eu-central-1", None, "https://bucket.s3.eu-central-1.amazonaws.com/a%20b.png?"),
        ("cn-north-1", None, "https://bucket.s3.cn-north-1.amazonaws.com.cn/a%20b.png?"),
        ("us-east-1", "http://localhost:4566", "http://localhost:4566/bucket/a%20b.png?"),
    ],
)
async def test_a_link_leads_to_the_region_or_the_endpoint(
    region: str, endpoint: str | None, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    async with Clients(region) as clients:
        link = await S3Objects(clients).link("s3://bucket/a b.png", 90)

    assert link.startswith(start)
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in link
    assert "X-Amz-Expires=90" in link
    assert "secret-key" not in link


async def test_a_link_that_nobody_can_sign_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nothing")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    async with Clients("us-east-1") as clients:
        with pytest.raises(Unavailable, match="S3 link: NoCredentialsError"):
            await S3Objects(clients).link("s3://bucket/a", 90)


async def test_one_client_is_made_for_all_who_ask(clients: Clients) -> None:
    made = await asyncio.gather(*(clients.sqs() for _ in range(5)))

    assert len({id(client) for client in made}) == 1


@pytest.mark.parametrize("uri", ["https://bucket/key", "bucket/key", "s3://", "s3:///key"])
async def test_another_uri_is_refused(clients: Clients, uri: str) -> None:
    with pytest.raises(ValueError, match="is not an s3:// URI"):
        await S3Objects(clients).get(uri)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (REFUSED, "Thing: AccessDenied"),
        (ReadTimeoutError(endpoint_url="http://secret"), "Thing: ReadTimeoutError"),
        (aiohttp.ClientPayloadError("secret"), "Thing: ClientPayloadError"),
        (TimeoutError(), "Thing: TimeoutError"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_are_told_without_their_text(error: Exception, message: str) -> None:
    with pytest.raises(Unavailable) as raised, translated("Thing"):
        raise error

    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InvalidParameter", PublicationRefused),
        ("AuthorizationError", PublicationRefused),
        ("NotFound", PublicationRefused),
        ("AWS.SimpleQueueService.NonExistentQueue", PublicationRefused),
        ("Throttling", Unavailable),
        ("InternalFailure", Unavailable),
        ("ExpiredToken", Unavailable),
    ],
)
async def test_what_another_try_would_not_change_is_refused_for_good(
    code: str, kind: type[Unavailable]
) -> None:
    async def client() -> None:
        raise ClientError({"Error": {"Code": code}}, "Publish")

    with pytest.raises(Unavailable) as raised:
        async with publishing(client(), "SNS Publish"):
            pass

    assert type(raised.value) is kind


def test_what_may_be_missing_is_no_error() -> None:
    with translated("Thing", "AccessDenied"):
        raise REFUSED
