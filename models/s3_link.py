"""Links to objects: ``s3://bucket/key``."""

import re
from dataclasses import dataclass

SCHEME = "s3://"

# More than S3 takes today: old buckets of us-east-1 have capitals, underscores, 255 characters.
_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}")
_LONGEST_KEY = 1024  # bytes
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class S3Link:
    """Bucket, and the key of an object in it."""

    bucket: str
    key: str


def s3_link(link: str) -> S3Link:
    """Parse a link; a key may hold what a URL would take for a query or a fragment.

    Raises:
        ValueError: it leads to no object, or to another one where a path is made shorter.
    """
    bucket, _, key = link.removeprefix(SCHEME).partition("/")
    if not link.startswith(SCHEME) or not _BUCKET.fullmatch(bucket):
        raise ValueError("it names no bucket, as s3://bucket/key does")
    if not key:
        raise ValueError("it names no object, as s3://bucket/key does")
    if _CONTROL.search(key):
        raise ValueError("its key has a control character")
    if {".", ".."} & set(key.split("/")):
        raise ValueError("its key has a '.' or '..' segment")
    if _bytes(key) > _LONGEST_KEY:
        raise ValueError(f"its key has more than {_LONGEST_KEY} bytes")
    return S3Link(bucket, key)


def _bytes(key: str) -> int:
    try:
        return len(key.encode())
    # JSON can escape half of a character, for which UTF-8 has no bytes.
    except UnicodeEncodeError:
        raise ValueError("its key is not Unicode text") from None
