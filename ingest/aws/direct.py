"""Calls of AWS by requests of our own, which the SDK makes again where they are not answered well.

A call of the SDK takes 0.6 ms of CPU time, three quarters of it for what is the same each time: its
hooks, its models, its endpoints. A task has a dozen calls. The SDK says where a service is, who
signs, by which connections a request goes, and what an error is; it alone retries.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from aiobotocore.session import AioSession
from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import BotoCoreError, ClientError

from ingest.aws.signature import signed
from models import strict_json

_OK = 200
_REFUSED = 400
_CONDITION = "ConditionalCheckFailedException"
_UNQUOTED = "/~"


class DirectClient:
    """Client of one service for calls that are made often, next to the SDK's own client."""

    def __init__(self, client: Any, session: AioSession) -> None:
        self._client = client
        self._session = session
        self._metadata: Mapping[str, str] = client.meta.service_model.metadata
        self._service: str = client.meta.service_model.signing_name
        self._region: str = client.meta.region_name
        self._agent: str = client.meta.config.user_agent
        self._buckets: dict[str, str] = {}
        """URLs of the objects in a bucket, without their keys."""

    async def call(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call an operation of a JSON API; parameters and answer hold no bytes.

        Raises:
            ClientError, BotoCoreError: as the SDK does.
        """
        fields = {
            "content-type": f"application/x-amz-json-{self._metadata['jsonVersion']}",
            "x-amz-target": f"{self._metadata['targetPrefix']}.{operation}",
        }
        body = strict_json.written(parameters).encode()
        status, text = await self._send("POST", self._client.meta.endpoint_url, fields, body)
        if status == _OK and (answer := json_object(text)) is not None:
            return answer
        if status == _REFUSED and _CONDITION.encode() in text:
            refusal = json_object(text) or {}
            if str(refusal.get("__type")).endswith(_CONDITION):  # an answer, not a fault
                told: Any = {**refusal, "Error": {"Code": _CONDITION, "Message": ""}}
                raise ClientError(told, operation)
        return await self._by_sdk(operation, parameters)

    async def publish(self, parameters: Mapping[str, Any]) -> None:
        """Publish on a topic of SNS.

        Raises:
            ClientError, BotoCoreError: as the SDK does.
        """
        operation = "Publish"
        form = [("Action", operation), ("Version", self._metadata["apiVersion"])]
        fields = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        body = urlencode([*form, *_form_fields(parameters)]).encode()
        status, _ = await self._send("POST", self._client.meta.endpoint_url, fields, body)
        if status != _OK:
            await self._by_sdk(operation, parameters)

    async def put(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        """Store an object of S3; its digest is sent with it.

        Raises:
            ClientError, BotoCoreError: as the SDK does.
        """
        if key:  # an object without one has the address of its bucket: the SDK refuses it
            url = await self.url_of(bucket) + quote(key, safe=_UNQUOTED)
            status, _ = await self._send("PUT", url, {"content-type": content_type}, body)
            if status == _OK:
                return
        parameters = {"Bucket": bucket, "Key": key, "Body": body, "ContentType": content_type}
        await self._by_sdk("PutObject", parameters)

    async def url_of(self, bucket: str) -> str:
        """Ask the SDK, once, where the objects of a bucket are."""
        if bucket not in self._buckets:
            link: str = await self._client.generate_presigned_url(
                "put_object", Params={"Bucket": bucket, "Key": "k"}
            )
            self._buckets[bucket] = link.partition("?")[0].removesuffix("k")
        return self._buckets[bucket]

    async def _send(
        self, method: str, url: str, fields: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Send a signed request; return its answer's status and body, 0 if there is none."""
        where = urlsplit(url)
        try:
            credentials = await self._session.get_credentials()
            if credentials is None:
                return 0, b""
            headers: Any = signed(
                await credentials.get_frozen_credentials(),
                {**fields, "host": where.netloc},
                body,
                method=method,
                path=where.path or "/",
                service=self._service,
                region=self._region,
            )
            headers["user-agent"] = self._agent
            request = AWSPreparedRequest(method, url, headers, body, stream_output=False)
            response = await self._client._endpoint.http_session.send(request)  # noqa: SLF001 - the SDK's own connections, proxies and certificates
            return response.status_code, await response.content
        except BotoCoreError:
            return 0, b""

    async def _by_sdk(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = await getattr(self._client, xform_name(operation))(**parameters)
        return answer


def json_object(text: bytes) -> Mapping[str, Any] | None:
    """Read a JSON object; None if it is none, such as an answer that was cut or garbled."""
    try:
        read = json.loads(text)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def _form_fields(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Spell parameters as the fields of a form: texts, and maps of structures of texts."""
    for name, value in parameters.items():
        if isinstance(value, str):
            yield name, value
            continue
        for number, (key, structure) in enumerate(value.items(), start=1):
            yield f"{name}.entry.{number}.Name", key
            for part, text in structure.items():
                yield f"{name}.entry.{number}.Value.{part}", text
