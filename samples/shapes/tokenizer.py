"""A CLIP tokenizer whose vocabulary is the captions' own words, each one token.

Words it was not made for still encode, in bytes and pieces, as with the real CLIP vocabulary.
"""

import json
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from samples.shapes.caption import words

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
LENGTH = 32


def make_tokenizer(folder: Path) -> CLIPTokenizer:
    """Write the tokenizer's files to a folder and load them."""
    folder.mkdir(parents=True, exist_ok=True)
    merges = _learn_merges()
    (folder / "vocab.json").write_text(json.dumps(_vocabulary(merges), ensure_ascii=False))
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(_config(), indent=2) + "\n")
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def _learn_merges() -> list[tuple[str, str]]:
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix=WORD_END))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=4000, end_of_word_suffix=WORD_END, show_progress=False)
    tokenizer.train_from_iterator([" ".join(words())] * 3, trainer)
    return [(left, right) for left, right in json.loads(tokenizer.to_str())["model"]["merges"]]


def _vocabulary(merges: list[tuple[str, str]]) -> dict[str, int]:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    ends = [letter + WORD_END for letter in letters]
    merged = [left + right for left, right in merges]
    # In CLIP's order: bytes, bytes that end a word, what was merged, and the two marks.
    tokens = dict.fromkeys([*letters, *ends, *merged, START, END])
    return {token: number for number, token in enumerate(tokens)}


def _config() -> dict[str, object]:
    return {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": LENGTH,
        "bos_token": START,
        "eos_token": END,
        "pad_token": END,  # as in Stable Diffusion 1
        "unk_token": END,
    }
