"""Weights in an S3 bucket, below a prefix.

A file goes up in parts, each with its SHA-256, which S3 compares before it takes the part. S3 keeps
no SHA-256 over an object that came in parts, and of the checksums that it does keep over a whole
one Python has none but CRC-32; so the file's own SHA-256 is kept as metadata of the object, and is
believed because whoever reads the object compares it. An object without such metadata has the
checksum that S3 keeps over the whole of it, or the MD5 that its ETag is, if it is one.
"""

import asyncio
import base64
import binascii
import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import override

from ingest.aws.client import Clients, calling, error_code, read_again
from ingest.aws.multipart import METADATA, LocalFile, MultipartUpload, in_base64
from models.errors import NameTaken, Unavailable, WeightsChanged
from models.weights.checksums import SHA256, Checksum, file_checksum
from models.weights.store import Tell, WeightFile, WeightStore, Written, is_safe, safe

_MIB = 2**20
PART_SIZE = 16 * _MIB
_MOST_PARTS = 10_000
"""Parts that S3 takes for one object."""
_ONLY_NEW: Mapping[str, Any] = {"IfNoneMatch": "*"}
"""Condition by which S3 itself replaces no object."""
_MISSING = ("NoSuchKey", "404")
_CHANGED = ("PreconditionFailed", "412", "NoSuchKey", "404", "InvalidRange", "416")
_TAKEN = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409")
_OF_S3 = {
    "ChecksumSHA256": SHA256,
    "ChecksumSHA1": "sha1",
    "ChecksumCRC64NVME": "crc64nvme",
    "ChecksumCRC32C": "crc32c",
    "ChecksumCRC32": "crc32",
}
"""Fields of S3's answers with checksums, the strongest first."""
_MD5_LENGTH = 32


@dataclass(frozen=True, kw_only=True)
class S3Weights(WeightStore):
    """Weights in an S3 bucket, below a prefix."""

    clients: Clients
    bucket: str
    prefix: str = ""
    """Prefix of all keys, without a slash at its end."""
    uploads: Path
    """Folder of notes on uploads under way, by which a later process takes them up."""
    part_size: int = PART_SIZE

    @property
    @override
    def where(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @override
    async def list(self) -> Sequence[WeightFile]:
        found: list[WeightFile] = []
        root = self._key("")
        async with calling(self.clients.s3(), "S3 ListObjectsV2") as s3:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=root)
            async for page in pages:
                found += [
                    WeightFile(
                        name=each["Key"].removeprefix(root),
                        size=each["Size"],
                        version=each["ETag"],
                        modified=each["LastModified"].timestamp(),
                    )
                    for each in page.get("Contents", [])
                    if is_safe(each["Key"].removeprefix(root))
                ]
        return sorted(found, key=lambda file: file.name)

    @override
    async def look_up(self, name: str) -> WeightFile | None:
        key = self._key(safe(name))
        async with calling(self.clients.s3(), "S3 HeadObject", *_MISSING) as s3:
            answer = await s3.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
            return WeightFile(
                name=name,
                size=answer["ContentLength"],
                version=answer["ETag"],
                modified=answer["LastModified"].timestamp(),
                checksum=_checksum(answer),
            )
        return None

    @override
    async def read(self, file: WeightFile, start: int, size: int) -> bytes:
        if not size or start >= file.size:
            return b""
        return await read_again(lambda: self._read(file, start, size))

    async def _read(self, file: WeightFile, start: int, size: int) -> bytes:
        key = self._key(safe(file.name))
        async with calling(self.clients.s3(), "S3 GetObject", *_CHANGED) as s3:
            answer = await s3.get_object(
                Bucket=self.bucket,
                Key=key,
                Range=f"bytes={start}-{start + size - 1}",
                IfMatch=file.version,
            )
            async with answer["Body"] as stream:
                # A store that knows no If-Match would send another version.
                if answer["ETag"] == file.version:
                    return await stream.read()
        raise WeightsChanged(f"{file.name} has changed meanwhile, or is gone")

    @override
    async def write(
        self, name: str, source: Path, *, replace: bool = False, tell: Tell | None = None
    ) -> Written:
        told = tell or _silent
        local = await asyncio.to_thread(LocalFile.read, source, self._part_size(source))
        key = self._key(safe(name))
        upload = MultipartUpload(
            clients=self.clients, bucket=self.bucket, key=key, local=local, notes=self.uploads
        )
        there = await self.look_up(name)
        if there is not None and await asyncio.to_thread(_is_same, there, local):
            # A kill may have left it between the upload's end and its own.
            upload.forget()
            told(local.size)
            return Written(file=there, sent=0)
        if there and not replace:
            raise NameTaken(f"{name} is there already, with other bytes or unchecked")
        condition = {} if replace else _ONLY_NEW
        with _unless_taken(name):
            if len(local.hashes) == 1:
                await self._put(key, local, told, condition)
                sent = local.size
            else:
                sent = await upload(told, condition)
        file = await self.look_up(name)
        if file is None:
            raise WeightsChanged(f"{name} was deleted as soon as it was written")
        return Written(file=file, sent=sent)

    @override
    async def delete(self, name: str) -> None:
        key = self._key(safe(name))
        async with calling(self.clients.s3(), "S3 DeleteObject", *_MISSING) as s3:
            await s3.delete_object(Bucket=self.bucket, Key=key)

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def _part_size(self, source: Path) -> int:
        least = -(-source.stat().st_size // _MOST_PARTS)
        return max(self.part_size, -(-least // _MIB) * _MIB)

    async def _put(
        self, key: str, local: LocalFile, tell: Tell, condition: Mapping[str, Any]
    ) -> None:
        body = await asyncio.to_thread(local.part, 0)
        async with calling(self.clients.s3(), "S3 PutObject") as s3:
            await s3.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=body,
                ChecksumSHA256=in_base64(local.hashes[0]),
                Metadata={METADATA: local.sha256},
                **condition,
            )
        tell(local.size)


def _checksum(answer: Mapping[str, Any]) -> Checksum | None:
    """Return the best checksum over the whole object that an answer has."""
    own = answer.get("Metadata", {}).get(METADATA, "").lower()
    if len(own) == hashlib.sha256().digest_size * 2 and all(c in "0123456789abcdef" for c in own):
        return Checksum(SHA256, own)
    etag = answer["ETag"].strip('"')
    # "-2" ends the ETag of what came in two parts, whose checksum may be one of theirs.
    if "-" not in etag or answer.get("ChecksumType") == "FULL_OBJECT":
        for field, algorithm in _OF_S3.items():
            if field in answer and "-" not in answer[field]:
                with contextlib.suppress(binascii.Error):
                    return Checksum(algorithm, base64.b64decode(answer[field]).hex())
    is_md5 = len(etag) == _MD5_LENGTH and answer.get("ServerSideEncryption", "AES256") == "AES256"
    return Checksum("md5", etag) if is_md5 and "SSECustomerAlgorithm" not in answer else None


def _is_same(there: WeightFile, local: LocalFile) -> bool:
    """Tell whether a file has the bytes of a local one; false where that cannot be told."""
    if there.checksum is None or there.size != local.size:
        return False
    if there.checksum.algorithm == SHA256:
        return there.checksum.value == local.sha256
    return there.checksum == file_checksum(local.path, there.checksum.algorithm)


@contextlib.contextmanager
def _unless_taken(name: str) -> Iterator[None]:
    try:
        yield
    except Unavailable as exc:
        cause: Any = exc.__cause__
        if hasattr(cause, "response") and error_code(cause) in _TAKEN:
            raise NameTaken(f"{name} is there already: somebody has just written it") from exc
        raise


def _silent(_: int) -> None:
    pass
