"""Rule for docstrings: they open with a verb or a noun, so that an editor can show one alone.

An opening like "What …" or "Of which …" leans on a page around it that the editor does not show.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.house.source import Source

_WORDS = """
    about after all also among and any as at because before between both but by during each every
    everything for from he her his how if in into it its like no none not nothing now of on one ones
    only or our ours over per she since so some such than that their them there these they this
    those to under until we what whatever when where whether which while who whom whose why with
    within without
"""
REFUSED = frozenset(_WORDS.split())
"""Pronouns, relatives, prepositions, conjunctions and particles that open no docstring."""

ALLOWED_SHARE = 0.0
"""Share of all docstrings that may open so."""

SHOWN_BESIDE_THEIR_NOUN = frozenset(
    {
        "What happens to a task, first what is known; its end is the last event.",
        "What is known of a task now.",
        "Where an artifact can be had, for an hour at most; 0 is the runtime's whole answer.",
        "Which sending of this id; the newest if left out.",
    }
)
"""Docstrings that may open so: OpenAPI shows each beside its operation or parameter."""

_FIRST_WORD = re.compile(r"[\W_]*([A-Za-z]+)")


@dataclass(frozen=True)
class Opening:
    """Refused word that a docstring opens with, and where the docstring begins."""

    path: str
    line: int
    word: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: a docstring opens with {self.word!r}"


def refused_openings(sources: Iterable[Source]) -> Iterator[Opening]:
    """Find the docstrings that open with a refused word, in any case of letters."""
    for source in sources:
        for docstring in source.docstrings:
            first = _FIRST_WORD.match(docstring.text)
            allowed = docstring.text in SHOWN_BESIDE_THEIR_NOUN
            if first and first[1].lower() in REFUSED and not allowed:
                yield Opening(source.path, docstring.line, first[1])


def refused_share(sources: Sequence[Source]) -> float:
    """Return the share of all docstrings that open with a refused word, from 0 to 1."""
    total = sum(1 for source in sources for _ in source.docstrings)
    return sum(1 for _ in refused_openings(sources)) / max(total, 1)
