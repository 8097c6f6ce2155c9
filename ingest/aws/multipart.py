"""Upload of a local file to S3 in parts, which a later process takes up after a kill."""

import asyncio
import base64
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.aws.client import Clients, calling
from models import strict_json
from models.errors import WeightsChanged
from models.weights.store import Tell

if TYPE_CHECKING:
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef

PARALLEL = 6
"""Parts that are sent at once; of each the SDK and the connection hold copies, too."""
METADATA = "sha256"
"""Name of the metadata with the SHA-256 of the whole file."""
_NO_UPLOAD = ("NoSuchUpload", "404")


@dataclass(frozen=True, kw_only=True)
class LocalFile:
    """Local file as it was when it was read through."""

    path: Path
    size: int
    part_size: int
    sha256: str
    hashes: Sequence[bytes]
    """SHA-256 of each part."""

    @classmethod
    def read(cls, path: Path, part_size: int) -> "LocalFile":
        whole, hashes, size = hashlib.sha256(), list[bytes](), 0
        with path.open("rb") as file:
            while (data := file.read(part_size)) or not hashes:
                whole.update(data)
                hashes.append(hashlib.sha256(data).digest())
                size += len(data)
        return cls(
            path=path,
            size=size,
            part_size=part_size,
            sha256=whole.hexdigest(),
            hashes=hashes,
        )

    def span(self, part: int) -> tuple[int, int]:
        """Return where a part begins, and how many bytes it has."""
        start = part * self.part_size
        return start, min(self.part_size, self.size - start)

    def part(self, part: int) -> bytes:
        """Read a part.

        Raises:
            WeightsChanged: it is not what it was when the file was read through.
        """
        start, size = self.span(part)
        with self.path.open("rb") as file:
            data = os.pread(file.fileno(), size, start)
        if hashlib.sha256(data).digest() != self.hashes[part]:
            raise WeightsChanged(f"{self.path} changed while it was sent")
        return data


@dataclass(frozen=True, kw_only=True)
class MultipartUpload:
    """Upload of a file to one key."""

    clients: Clients
    bucket: str
    key: str
    local: LocalFile
    notes: Path
    """Folder of notes on uploads under way."""
    _tags: dict[int, str] = field(default_factory=dict)
    """ETags of the parts that S3 has, by their numbers from 0."""

    async def __call__(self, tell: Tell, condition: Mapping[str, Any]) -> int:
        """Send the parts that S3 lacks, and have it make the object; return the bytes sent.

        ``condition``: arguments by which S3 may refuse that at its end.

        Raises:
            WeightsChanged: the local file changed meanwhile.
        """
        upload = await self._under_way() or await self._new()
        kept = sum(self.local.span(part)[1] for part in self._tags)
        tell(kept)
        left = iter([part for part in range(len(self.local.hashes)) if part not in self._tags])
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(PARALLEL):
                    group.create_task(self._send(upload, left, tell))
        except* Exception as exc:  # noqa: BLE001 - the first of several stands for all
            raise exc.exceptions[0] from exc.exceptions[0].__cause__
        async with calling(self.clients.s3(), "S3 CompleteMultipartUpload") as s3:
            await s3.complete_multipart_upload(
                Bucket=self.bucket,
                Key=self.key,
                UploadId=upload,
                MultipartUpload={"Parts": list(self._completed())},
                **condition,
            )
        self.forget()
        return self.local.size - kept

    def forget(self) -> None:
        """Remove the note, which a kill may have left after the upload's end."""
        self._note.path.unlink(missing_ok=True)

    @property
    def _note(self) -> "_Note":
        content = f"{self.local.sha256} {self.local.part_size}"
        target = f"s3://{self.bucket}/{self.key}"
        return _Note(folder=self.notes, target=target, content=content)

    async def _new(self) -> str:
        async with calling(self.clients.s3(), "S3 CreateMultipartUpload") as s3:
            answer = await s3.create_multipart_upload(
                Bucket=self.bucket,
                Key=self.key,
                ChecksumAlgorithm="SHA256",
                Metadata={METADATA: self.local.sha256},
            )
            upload = answer["UploadId"]
        await asyncio.to_thread(self._note.write, upload)
        return upload

    async def _under_way(self) -> str | None:
        """Find the upload that a killed process has left, and the parts of it that S3 has."""
        known = await asyncio.to_thread(self._note.read)
        if known is None:
            return None
        upload, content = known
        if content != self._note.content:
            # Of other bytes: nobody else would end it, and S3 charges for its parts.
            async with calling(self.clients.s3(), "S3 AbortMultipartUpload", *_NO_UPLOAD) as s3:
                await s3.abort_multipart_upload(Bucket=self.bucket, Key=self.key, UploadId=upload)
            return None
        async with calling(self.clients.s3(), "S3 ListParts", *_NO_UPLOAD) as s3:
            pages = s3.get_paginator("list_parts").paginate(
                Bucket=self.bucket, Key=self.key, UploadId=upload
            )
            async for page in pages:
                for listed in page.get("Parts", []):
                    part = listed["PartNumber"] - 1
                    if await asyncio.to_thread(self._is_part, part, listed):
                        self._tags[part] = listed["ETag"]
            return upload
        return None

    async def _send(self, upload: str, left: Iterator[int], tell: Tell) -> None:
        for part in left:
            body = await asyncio.to_thread(self.local.part, part)
            async with calling(self.clients.s3(), "S3 UploadPart") as s3:
                answer = await s3.upload_part(
                    Bucket=self.bucket,
                    Key=self.key,
                    UploadId=upload,
                    PartNumber=part + 1,
                    Body=body,
                    ChecksumSHA256=in_base64(self.local.hashes[part]),
                )
                self._tags[part] = answer["ETag"]
            tell(len(body))

    def _completed(self) -> "Iterator[CompletedPartTypeDef]":
        for part, digest in enumerate(self.local.hashes):
            yield {
                "PartNumber": part + 1,
                "ETag": self._tags[part],
                "ChecksumSHA256": in_base64(digest),
            }

    def _is_part(self, part: int, listed: Mapping[str, Any]) -> bool:
        """Tell whether a part that S3 lists is the file's; without a SHA-256 by its MD5."""
        if not part < len(self.local.hashes):
            return False
        if "ChecksumSHA256" in listed:
            return bool(listed["ChecksumSHA256"] == in_base64(self.local.hashes[part]))
        md5 = hashlib.md5(self.local.part(part), usedforsecurity=False).hexdigest()
        return bool(listed["ETag"].strip('"') == md5)


@dataclass(frozen=True, kw_only=True)
class _Note:
    """Note on an upload under way: a file whose name is made of where it goes."""

    folder: Path
    target: str
    content: str
    """Text that is equal where the same bytes go up in the same parts."""

    @property
    def path(self) -> Path:
        return self.folder / f"{hashlib.sha256(self.target.encode()).hexdigest()}.json"

    def read(self) -> tuple[str, str] | None:
        """Return the id of the upload to the target, and its content; None without a note."""
        try:
            known = strict_json.read(self.path.read_text())
            return str(known["upload"]), str(known["content"])
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def write(self, upload: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        note = {"target": self.target, "content": self.content, "upload": upload}
        part.write_text(strict_json.written(note))
        part.replace(self.path)


def in_base64(digest: bytes) -> str:
    """Write a digest as S3 has it."""
    return base64.b64encode(digest).decode()
