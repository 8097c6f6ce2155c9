"""Refuse syntax in a prompt that means something to the Web UI and would be lost here."""

import re
from collections.abc import Iterator

LORA = re.compile(r"<(?:lora|lyco):([^:<>]+)(?::([^<>]*))?>")
_UNSUPPORTED = (
    (
        re.compile(r"(?<!\\)\[[^\[\]]*:\s*[\d.]+\s*\]|(?<!\\)\[[^\[\]]*\|[^\[\]]*\]"),
        "prompt editing and alternation ([from:to:when], [a|b]) are",
    ),
    (re.compile(r"\bAND\b"), "composition with AND is"),
    (re.compile(r"<(hypernet):[^<>]*>"), "hypernetworks are"),
)


def unsupported(prompt: str) -> Iterator[str]:
    """Say what in a prompt only the Web UI itself understands, and where; it is not quoted."""
    for pattern, what in _UNSUPPORTED:
        if match := pattern.search(prompt):
            yield f"{what} not supported here (at character {match.start() + 1})"


def wrong_tags(prompt: str) -> Iterator[str]:
    """Say which LoRA tags have no number as their weight."""
    for match in LORA.finditer(prompt):
        if match[2] is not None and not _is_number(match[2]):
            yield (
                f"the LoRA tag at character {match.start() + 1} must have one number as its weight,"
                " such as <lora:name:0.8>"
            )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
