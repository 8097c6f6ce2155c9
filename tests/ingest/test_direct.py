"""Direct calls of AWS, beside the same calls by its SDK, over a recording server."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from ingest.aws.client import Clients
from tests.ingest.wire import Wire, recorded

BY_SDK = "amz-sdk-invocation-id"
"""Header field of the requests that the SDK sends."""
MESSAGE: Mapping[str, Any] = {
    "TopicArn": "arn:aws:sns:us-east-1:000000000000:topic",
    "Message": "ü & =",
    "MessageAttributes": {
        "runtime": {"DataType": "String", "StringValue": "painter+"},
        "owner": {"DataType": "String", "StringValue": "me"},
    },
}
ROW: Mapping[str, Any] = {"TableName": "t", "Key": {"id": {"S": "ü"}}, "ReturnValues": "ALL_NEW"}


def answer(body: str = "{}", status: str = "200 OK") -> str:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}"


def refusal(kind: str) -> str:
    body = json.dumps({"__type": f"com.amazonaws.dynamodb#{kind}", "Item": {"id": {"S": "a"}}})
    return answer(body, "400 Bad Request")


@pytest.fixture
async def clients(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clients]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-key")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    async with Clients("us-east-1") as clients:
        yield clients


def bodies(wire: Wire) -> list[str]:
    return [request.partition(b"\r\n\r\n")[2].decode() for request in wire.requests]


async def test_a_call_is_the_sdks_but_for_what_that_says_of_itself(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded(answer('{"Attributes": {"id": {"S": "a"}}}')) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        ours = await (await clients.direct("dynamodb")).call("UpdateItem", ROW)
        theirs = await (await clients.dynamodb()).update_item(**ROW)
        first, second = wire.heads()

        assert ours["Attributes"] == theirs["Attributes"]
        assert [json.loads(body) for body in bodies(wire)] == [ROW, ROW]
        assert set(fields(second)) - set(fields(first)) == {BY_SDK, "amz-sdk-request"}
        assert same(fields(first)) == same(fields(second))
        await clients.aclose()


def fields(head: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in head.split("\r\n")[1:])


def same(given: dict[str, str]) -> dict[str, str]:
    """Pick what does not depend on the time or the signature."""
    return {name: given[name] for name in ("host", "content-type", "x-amz-target", "user-agent")}


async def test_a_message_is_published_as_by_the_sdk(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded(answer("<PublishResponse><PublishResult/></PublishResponse>")) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        await (await clients.direct("sns")).publish(MESSAGE)
        await (await clients.sns()).publish(**MESSAGE)
        ours, theirs = (sorted(parse_qsl(body)) for body in bodies(wire))

        assert BY_SDK not in wire.heads()[0]
        assert ours == theirs
        await clients.aclose()


@pytest.mark.parametrize("key", ["a.png", "a b+c/ü~(1)'*!.png", "/a//b", "a?b#c%20"])
async def test_an_object_has_the_address_that_the_sdk_gives_it(
    key: str, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded() as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        await (await clients.direct("s3")).put("bucket", key, b"x", "image/png")
        await (await clients.s3()).put_object(
            Bucket="bucket", Key=key, Body=b"x", ContentType="image/png"
        )
        ours, theirs = (head.split("\r\n")[0] for head in wire.heads())

        assert BY_SDK not in wire.heads()[0]
        assert ours == theirs
        await clients.aclose()


@pytest.mark.parametrize(
    ("bucket", "url"),
    [
        ("bucket", "https://bucket.s3.us-west-2.amazonaws.com/"),
        ("my.bucket", "https://s3.us-west-2.amazonaws.com/my.bucket/"),
    ],
)
async def test_a_bucket_of_aws_is_where_the_sdk_finds_it(
    bucket: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-key")
    async with Clients("us-west-2") as clients:
        assert await (await clients.direct("s3")).url_of(bucket) == url


@pytest.mark.parametrize("refused", [answer("", "503 Slow Down"), refusal("ValidationException")])
async def test_what_is_answered_by_a_fault_is_called_again_by_the_sdk(
    refused: str, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded(refused) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        with pytest.raises(ClientError):
            await (await clients.direct("dynamodb")).call("UpdateItem", ROW)
        first, second, *_ = wire.heads()

        assert BY_SDK not in first
        assert BY_SDK in second
        await clients.aclose()


async def test_a_condition_that_is_not_met_is_an_answer(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded(refusal("ConditionalCheckFailedException")) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        with pytest.raises(ClientError) as raised:
            await (await clients.direct("dynamodb")).call("UpdateItem", ROW)

        assert raised.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
        assert dict(raised.value.response)["Item"] == {"id": {"S": "a"}}
        assert len(wire.requests) == 1
        await clients.aclose()


async def test_without_credentials_the_sdk_says_so(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nothing")
    async with recorded() as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        with pytest.raises(NoCredentialsError):
            await (await clients.direct("sns")).publish(MESSAGE)

        assert wire.requests == []
        await clients.aclose()
