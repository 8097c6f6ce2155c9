"""Base64 of clients: either alphabet, padded or not, with line breaks or without."""

import base64

_STANDARD = str.maketrans("-_", "+/")


def standard(text: str) -> str:
    """Write base64 in the standard alphabet, without white space and with its padding."""
    body = "".join(text.split()).translate(_STANDARD)
    return body + "=" * (-len(body) % 4)


def decoded(text: str) -> bytes:
    """Decode base64 in the standard or the URL-safe alphabet, padded or not.

    Raises:
        ValueError: it is no base64, for any other character or a length that no bytes have.
    """
    # Strict, or Python drops what is no base64 and decodes the rest.
    return base64.b64decode(standard(text), validate=True)
