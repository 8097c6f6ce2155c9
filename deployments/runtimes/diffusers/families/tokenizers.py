"""Tokenizer of a checkpoint's folder, held to its own vocabulary and to its text encoder."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

_LOST = 0.01
"""Share of words that may be beyond reach: somebody may have added some by hand."""


def tokenizer_fault(tokenizer: Any, embeddings: int | None) -> str | None:
    """Say why a tokenizer's ids would not be its prompt's; None if nothing is wrong.

    ``embeddings``: ids that its text encoder knows; None if unknown.
    """
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    marks = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
    words = [word for word in vocabulary if word not in marks]
    if not words:
        return "its vocabulary is empty"
    lost = list(_beyond_reach(tokenizer, words))
    if len(lost) > _LOST * len(words):
        return f"its merges make none of {len(lost)} of its {len(words)} words"
    highest = max(vocabulary.values())
    if embeddings is not None and highest >= embeddings:
        return f"its ids go up to {highest}, those of its text encoder to {embeddings - 1}"
    return None


def _beyond_reach(tokenizer: Any, words: Iterable[str]) -> Iterator[str]:
    """List the words that no merge makes, of a tokenizer that merges letters to words."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    model = json.loads(backend.to_str())["model"] if backend is not None else {}
    if model.get("type") != "BPE":
        return
    made = {"".join(pair) for pair in model["merges"]}
    ending = model.get("end_of_word_suffix") or ""
    for word in words:
        if len(word.removesuffix(ending)) > 1 and word not in made:
            yield word
