"""Objects in S3."""

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.aws.client import Clients, calling
from models.ports import Objects

_SCHEME = "s3://"
# A number is the code of an answer without a body, which could say more.
_MISSING = ("NoSuchKey", "NoSuchBucket", "404")


@dataclass(frozen=True)
class S3Objects(Objects):
    """Objects in S3."""

    clients: Clients

    async def put(self, uri: str, body: bytes, content_type: str) -> None:
        bucket, key = _parts(uri)
        async with calling(self.clients.direct("s3"), "S3 PutObject") as s3:
            await s3.put(bucket, key, body, content_type)

    async def get(self, uri: str, limit: int | None = None) -> bytes | None:
        bucket, key = _parts(uri)
        size: int | None = None
        async with calling(self.clients.s3(), "S3 GetObject", *_MISSING) as s3:
            answer = await s3.get_object(Bucket=bucket, Key=key)
            async with answer["Body"] as stream:
                size = answer["ContentLength"]
                # A stream that is left before its end closes the connection: the rest is not read.
                if limit is None or size <= limit:
                    return await stream.read()
        if size is not None:
            raise ValueError(f"{uri} has {size} bytes, more than {limit}")
        return None

    async def list(self, uri: str) -> Sequence[str]:
        bucket, prefix = _parts(uri)
        found: list[str] = []
        async with calling(self.clients.s3(), "S3 ListObjectsV2") as s3:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            async for page in pages:
                found += [f"{_SCHEME}{bucket}/{found['Key']}" for found in page.get("Contents", [])]
        return sorted(found)

    async def delete(self, uri: str) -> None:
        bucket, key = _parts(uri)
        async with calling(self.clients.s3(), "S3 DeleteObject", *_MISSING) as s3:
            await s3.delete_object(Bucket=bucket, Key=key)

    async def link(self, uri: str, seconds: int) -> str:
        bucket, key = _parts(uri)
        async with calling(self.clients.s3(), "S3 link") as s3:
            # Signed here, nothing is sent. A role's signature ends with the role's session.
            return await s3.generate_presigned_url(
                "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=seconds
            )


def _parts(uri: str) -> tuple[str, str]:
    """Split a URI by hand: a key may hold what URL parsers take for a query or a fragment."""
    bucket, _, key = uri.removeprefix(_SCHEME).partition("/")
    if not uri.startswith(_SCHEME) or not bucket:
        raise ValueError(f"{uri!r} is not an s3:// URI")
    return bucket, key
