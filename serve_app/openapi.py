"""Parts of OpenAPI descriptions that several HTTP APIs have."""

from typing import Any


def header(text: str) -> dict[str, Any]:
    """Describe a header of an answer."""
    return {"description": text, "schema": {"type": "string"}}
