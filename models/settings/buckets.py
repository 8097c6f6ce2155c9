"""Types of S3 bucket names and ARNs."""

from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, Field

_LONGEST = 63
# No two dots in a row, and a letter or a digit at both ends.
_PATTERN = "[a-z0-9](([.]?[a-z0-9-])*[.]?[a-z0-9])?$"


def _possible(given: str) -> str:
    # Of an ARN what stands behind its empty region and account; a name has no colon.
    name = given.rpartition(":::")[2]
    if not 3 <= len(name) <= _LONGEST:  # noqa: PLR2004 - S3's own bounds
        raise ValueError(f"a bucket's name has 3 to {_LONGEST} characters")
    if _is_address(name):
        raise ValueError("a bucket's name may not be an IP address")
    return given


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


BucketName = Annotated[str, Field(pattern=f"^{_PATTERN}"), AfterValidator(_possible)]
"""Name that S3 takes: 3 to 63 lower-case letters, digits, dots and hyphens."""
BucketArn = Annotated[
    str, Field(pattern=f"^arn:[a-z-]+:s3:::{_PATTERN}"), AfterValidator(_possible)
]
"""ARN of a bucket whose name S3 takes; nothing follows the name."""
