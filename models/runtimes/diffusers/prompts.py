"""Refusal of prompts that are too long, or whose syntax only the Web UI understands."""

import re
from collections.abc import Iterator

MOST_CHARACTERS = 20_000
"""Most characters of a prompt: some ten pages."""
MOST_CHUNKS = 64
"""Most chunks of a prompt: each is encoded by itself, and looked at in every step."""

MOST_WEIGHT = 100
"""Most weight of a LoRA or of a word, either way: far more than any picture bears."""

_COMMENT = re.compile(r"(?:^|(?<=\n))[ \t]*#[^\n]*(?:\n|$)|#[^\n]*")
LORA = re.compile(r"<(?:lora|lyco):([^:<>]+)(?::([^<>]*))?>")
# The first takes [a:b:0.5], [a:0.5] and [a|b]; it leaves [a], which only weakens, and brackets
# behind a backslash.
_UNSUPPORTED = (
    (
        re.compile(r"(?<!\\)\[[^\[\]]*:\s*[\d.]+\s*\]|(?<!\\)\[[^\[\]|]*\|[^\[\]]*\]"),
        "prompt editing and alternation ([from:to:when], [a|b]) are",
    ),
    (re.compile(r"\bAND\b"), "composition with AND is"),
    (re.compile(r"<(hypernet):[^<>]*>"), "hypernetworks are"),
)
_BREAK = re.compile(r"\bBREAK\b")
# Letters alone: a number may be a weight, as in (word:1.2), which makes no token.
_WORD = re.compile(r"[^\W\d_]+")
# CLIP reads 77, and two of them mark the start and the end.
_ROOM = 75
"""Tokens of a chunk; a word is one at least."""


def chunk_fault(chunks: int) -> str | None:
    """Say that a prompt has too many chunks; None if it has not."""
    if chunks <= MOST_CHUNKS:
        return None
    return (
        f"{chunks} chunks of {_ROOM} tokens are more than the {MOST_CHUNKS} allowed; "
        "shorten it, or leave out some BREAKs"
    )


def fewest_chunks(prompt: str) -> int:
    """Count the chunks that a prompt has at least: only the tokenizer knows how many there are."""
    parts = _BREAK.split(LORA.sub("", prompt))
    return sum(max(1, -(-len(_WORD.findall(part)) // _ROOM)) for part in parts)


def unsupported(prompt: str) -> Iterator[str]:
    """Say what in a prompt only the Web UI itself understands, and where; it is not quoted."""
    for pattern, what in _UNSUPPORTED:
        if match := pattern.search(prompt):
            yield f"{what} not supported here (at character {match.start() + 1})"


def wrong_tags(prompt: str) -> Iterator[str]:
    """Say which LoRA tags have no number as their weight, or one that leads to no picture."""
    for match in LORA.finditer(prompt):
        if match[2] is not None and not _is_weight(match[2]):
            yield (
                f"the LoRA tag at character {match.start() + 1} must have one number from "
                f"-{MOST_WEIGHT} to {MOST_WEIGHT} as its weight, such as <lora:name:0.8>"
            )


def without_comments(prompt: str) -> str:
    """Drop what stands behind a ``#`` in each line; lines that are left empty go, too."""
    return _COMMENT.sub("", prompt)


def _is_weight(text: str) -> bool:
    try:
        return abs(float(text)) <= MOST_WEIGHT  # which no NaN is
    except ValueError:
        return False
