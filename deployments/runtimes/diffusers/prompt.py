r"""The Web UI's prompt language: emphasis, escapes, ``BREAK``, LoRA tags. Pure text.

``(a)`` counts 1.1 times, ``[a]`` 1/1.1, ``(a:1.3)`` 1.3 times, nested ones multiply; ``\(`` is a
bracket. A bracket that is never closed reaches to the end, a closing one alone is just text.
"""

import re
from dataclasses import dataclass

from models.errors import TaskFailed
from models.runtimes.diffusers.prompts import LORA, wrong_tags

MORE = 1.1
LESS = 1 / MORE

_TOKEN = re.compile(
    r"\\(?P<escaped>[\\()\[\]])"
    r"|(?P<weight>:\s*(?P<by>[+-]?(?:\d+\.?\d*|\.\d+))\s*\))"
    r"|(?P<open>[(\[])|(?P<close>[)\]])|(?P<break>\bBREAK\b)|(?P<text>[^\\()\[\]:B]+|.)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Span:
    """A piece of the prompt and how much it counts."""

    text: str
    weight: float = 1.0


class Break:
    """What follows starts a new chunk."""


BREAK = Break()


@dataclass(frozen=True)
class LoraTag:
    """``<lora:name:weight>``."""

    name: str
    weight: float


def loras(prompt: str) -> tuple[str, list[LoraTag]]:
    """The prompt without its LoRA tags, and the tags.

    Raises:
        TaskFailed: a tag is not one.
    """
    if wrong := next(wrong_tags(prompt), None):
        raise TaskFailed(f"prompt: {wrong}")
    tags = [LoraTag(match[1].strip(), float(match[2] or 1)) for match in LORA.finditer(prompt)]
    return LORA.sub("", prompt).strip(), tags


def spans(prompt: str) -> list[Span | Break]:
    """The prompt's pieces with their weights; neighbours of one weight are one piece."""
    return _merged(_read(prompt))


@dataclass(frozen=True)
class _Bracket:
    sign: str
    start: int
    """Index of the first piece inside it."""


def _read(prompt: str) -> list[Span | Break]:
    pieces: list[Span | Break] = []
    opened: list[_Bracket] = []
    for match in _TOKEN.finditer(prompt):
        if match["open"]:
            opened.append(_Bracket(match["open"], len(pieces)))
        elif match["break"]:
            pieces.append(BREAK)
        elif match["weight"] and opened and opened[-1].sign == "(":
            _weigh(pieces, opened.pop().start, float(match["by"]))
        elif match["close"] and opened and opened[-1].sign + match["close"] in ("()", "[]"):
            bracket = opened.pop()
            _weigh(pieces, bracket.start, MORE if bracket.sign == "(" else LESS)
        else:
            pieces.append(Span(match["escaped"] or match.group()))
    for bracket in opened:
        _weigh(pieces, bracket.start, MORE if bracket.sign == "(" else LESS)
    return pieces


def _weigh(pieces: list[Span | Break], start: int, by: float) -> None:
    for index, piece in enumerate(pieces[start:], start):
        if isinstance(piece, Span):
            pieces[index] = Span(piece.text, piece.weight * by)


def _merged(pieces: list[Span | Break]) -> list[Span | Break]:
    whole: list[Span | Break] = []
    for piece in pieces:
        last = whole[-1] if whole else None
        if isinstance(last, Span) and isinstance(piece, Span) and last.weight == piece.weight:
            whole[-1] = Span(last.text + piece.text, last.weight)
        else:
            whole.append(piece)
    return whole
