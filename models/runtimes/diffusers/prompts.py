"""Refusal of prompts that are too long, or whose syntax only the Web UI understands."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from math import fsum

from models.runtimes.content import Fault
from models.runtimes.diffusers.prompt_editing import MOST_WEIGHT, Clock, Texts, parts, texts

MOST_CHARACTERS = 20_000
"""Most characters of a prompt: some ten pages."""
MOST_CHUNKS = 64
"""Most chunks of a text: each is encoded by itself, and looked at in every step."""
MOST_ENCODED = 256
"""Most chunks of all texts that a request's prompts become, filled up to the longest one's: so many
are kept while it paints."""

MOST_LORAS = 16
"""Most LoRAs of a prompt, however often it names each: each is read, and kept while it paints."""

LORA = re.compile(r"<(?:lora|lyco):\s*([^:<>\s][^:<>]*)(?::([^<>]*))?>")
# Whatever begins so is meant as a tag: as words it would change the picture and apply nothing.
_TAG_START = re.compile(r"<\s*(?:lora|lyco)\s*:", re.IGNORECASE)
_MOST_TOLD = 3
"""Most wrong tags of a prompt that are told."""
_COMMENT = re.compile(r"(?:^|(?<=\n))[ \t]*#[^\n]*(?:\n|$)|#[^\n]*")
_HYPERNET = re.compile(r"<(hypernet):[^<>]*>", re.IGNORECASE)
_BREAK = re.compile(r"\bBREAK\b")
# Letters alone: a number may be a weight, as in (word:1.2), which makes no token.
_WORD = re.compile(r"[^\W\d_]+")
# CLIP reads 77, and two of them mark the start and the end.
_ROOM = 75
"""Tokens of a chunk; a word is one at least."""


@dataclass(frozen=True)
class Prompt:
    """Prompt of a request, by its field."""

    field: str
    text: str
    clock: Clock
    is_composed: bool
    """`True` if AND joins parts of it and LoRA tags count; in a negative prompt both are words."""

    @property
    def words(self) -> str:
        """Text without LoRA tags; in a negative prompt they are words."""
        return LORA.sub("", self.text) if self.is_composed else self.text

    @property
    def texts(self) -> list[Texts]:
        """Texts of each of its parts.

        Raises:
            ValueError: they are too many.
        """
        if not self.is_composed:
            return [texts(self.words, self.clock)]
        return [part.texts for part in parts(self.words, self.clock)]


def prompt_faults(prompts: Iterable[Prompt]) -> Iterator[Fault]:
    """Find what is wrong in a request's prompts, as far as no tokenizer is needed."""
    all_texts: set[str] = set()
    longest = 0
    for prompt in prompts:
        try:
            found = {text for part in prompt.texts for _, text in part}
        except ValueError as exc:
            yield Fault(prompt.field, str(exc))
            continue
        chunks = max(map(fewest_chunks, found))
        encoded = len(all_texts | found) * max(longest, chunks)
        if long := chunk_fault(chunks) or encoded_fault(encoded):
            yield Fault(prompt.field, long)
        else:
            all_texts |= found
            longest = max(longest, chunks)
        for message in unsupported(prompt.text):
            yield Fault(prompt.field, message)
        for message in wrong_tags(prompt.text) if prompt.is_composed else ():
            yield Fault(prompt.field, message)


def chunk_fault(chunks: int) -> str | None:
    """Say that a text has too many chunks; None if it has not."""
    if chunks <= MOST_CHUNKS:
        return None
    return (
        f"{chunks} chunks of {_ROOM} tokens are more than the {MOST_CHUNKS} allowed; "
        "shorten it, or leave out some BREAKs"
    )


def encoded_fault(chunks: int) -> str | None:
    """Say that all texts of a request have too many chunks; None if they have not."""
    if chunks <= MOST_ENCODED:
        return None
    return (
        f"with its edits, and all texts as long as the longest, the prompts become {chunks} chunks "
        f"of {_ROOM} tokens, more than the {MOST_ENCODED} allowed"
    )


def fewest_chunks(prompt: str) -> int:
    """Count the chunks that a prompt has at least: only the tokenizer knows how many there are."""
    parts_ = _BREAK.split(LORA.sub("", prompt))
    return sum(max(1, -(-len(_WORD.findall(part)) // _ROOM)) for part in parts_)


def unsupported(prompt: str) -> Iterator[str]:
    """Say what in a prompt only the Web UI itself understands, and where; it is not quoted."""
    if match := _HYPERNET.search(prompt):
        yield f"hypernetworks are not supported here (at character {match.start() + 1})"


def wrong_tags(prompt: str) -> Iterator[str]:
    """Say which LoRA tags are none, or have a weight that leads to no picture; or are too many."""
    wrong = list(islice(_single_faults(prompt), _MOST_TOLD))
    yield from wrong or _joint_faults(lora_weights(prompt))


def lora_weights(prompt: str) -> Mapping[str, float]:
    """Return the LoRAs that a prompt names, each with the sum of its tags' weights.

    Raises:
        ValueError: a weight is no number.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for match in LORA.finditer(prompt):
        found[match[1].strip()].append(1.0 if match[2] is None else float(match[2]))
    return {name: fsum(weights) for name, weights in found.items()}


def without_comments(prompt: str) -> str:
    """Drop what stands behind a ``#`` in each line; lines that are left empty go, too."""
    return _COMMENT.sub("", prompt)


def _single_faults(prompt: str) -> Iterator[str]:
    tags = {match.start(): match for match in LORA.finditer(prompt)}
    for begun in _TAG_START.finditer(prompt):
        where, tag = f"the LoRA tag at character {begun.start() + 1}", tags.get(begun.start())
        if tag is None:
            yield f"{where} must be written as <lora:name:weight>, such as <lora:name:0.8>"
        elif tag[2] is not None and not _is_weight(tag[2]):
            yield (
                f"{where} must have one number from -{MOST_WEIGHT} to {MOST_WEIGHT} as its "
                "weight, such as <lora:name:0.8>"
            )


def _joint_faults(weights: Mapping[str, float]) -> Iterator[str]:
    if len(weights) > MOST_LORAS:
        yield f"{len(weights)} LoRAs are more than the {MOST_LORAS} allowed"
    if heavy := next((weight for weight in weights.values() if abs(weight) > MOST_WEIGHT), 0):
        yield (
            f"the tags of one LoRA add up to a weight of {heavy:g}; it must be from "
            f"-{MOST_WEIGHT} to {MOST_WEIGHT}"
        )


def _is_weight(text: str) -> bool:
    try:
        return abs(float(text)) <= MOST_WEIGHT  # which no NaN is
    except ValueError:
        return False
