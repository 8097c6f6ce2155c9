"""Tokenizer files of CLIP, made from the published list of byte pairs."""

import gzip
import json
from pathlib import Path

SOURCE = Path(__file__).parent / "clip" / "bpe_simple_vocab_16e6.txt.gz"
_WORD_END = "</w>"
_START, _END = "<|startoftext|>", "<|endoftext|>"
# The vocabulary has 49,408 entries: 256 bytes, the same at a word's end, the pairs, two marks.
_PAIRS = 49_408 - 2 * 256 - 2
_PRINTABLE = ((ord("!"), ord("~")), (ord("¡"), ord("¬")), (ord("®"), ord("ÿ")))


def write_tokenizer(folder: Path, pad: str = _END) -> None:
    """Write the files that transformers reads a CLIP tokenizer from."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = _pairs()
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs, ""]), encoding="utf-8")
    (folder / "vocab.json").write_text(json.dumps(_vocabulary(pairs)), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(_config(pad)))


def _pairs() -> list[str]:
    lines = gzip.decompress(SOURCE.read_bytes()).decode().split("\n")
    return lines[1 : _PAIRS + 1]  # a comment first; at the end pairs that CLIP lacks


def _vocabulary(pairs: list[str]) -> dict[str, int]:
    letters = _letters()
    words = [
        *letters,
        *(letter + _WORD_END for letter in letters),
        *("".join(pair.split()) for pair in pairs),
    ]
    return {word: number for number, word in enumerate([*words, _START, _END])}


def _letters() -> list[str]:
    """List a printable character for each byte: itself, else one from beyond Latin-1, in order."""
    printable = [chr(n) for first, last in _PRINTABLE for n in range(first, last + 1)]
    return printable + [chr(256 + n) for n in range(256 - len(printable))]


def _config(pad: str) -> dict[str, object]:
    return {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 77,
        "do_lower_case": True,
        "bos_token": _START,
        "eos_token": _END,
        "unk_token": _END,
        "pad_token": pad,
    }
