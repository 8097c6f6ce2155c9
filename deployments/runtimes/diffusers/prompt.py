r"""Prompt language of the Web UI: emphasis, escapes, ``BREAK``, LoRA tags. Pure text.

``(a)`` counts 1.1 times, ``[a]`` 1/1.1, ``(a:1.3)`` 1.3 times, nested ones multiply; ``\(`` is a
bracket. A bracket that is never closed reaches to the end, a closing one alone is just text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from models.errors import TaskFailed
from models.runtimes.diffusers.prompts import LORA, lora_weights, wrong_tags

MORE = 1.1
LESS = 1 / MORE

# A weight is taken with the ")" that it closes; its digits are possessive, for to give some back
# can never help. Text stops before ":" and "B", which may begin a weight or a BREAK; where they do
# not, the dot at the end takes them.
_TOKEN = re.compile(
    r"\\(?P<escaped>[\\()\[\]])"
    r"|(?P<weight>:\s*(?P<by>[+-]?(?:\d++(?:\.\d*+)?|\.\d++))\s*\))"
    r"|(?P<open>[(\[])|(?P<close>[)\]])|(?P<break>\bBREAK\b)|(?P<text>[^\\()\[\]:B]+|.)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Span:
    """Piece of the prompt and its weight."""

    text: str
    weight: float = 1.0


class Break:
    """Mark of a new chunk: the rest of the prompt starts one."""


BREAK = Break()


@dataclass(frozen=True)
class LoraTag:
    """LoRA of a prompt: what all tags ``<lora:name:weight>`` of this name ask for together."""

    name: str
    weight: float


def loras(prompt: str) -> tuple[str, list[LoraTag]]:
    """Separate the prompt from its LoRA tags; the weights of one LoRA's tags add up.

    Raises:
        TaskFailed: a tag is not one, or there are too many LoRAs.
    """
    if wrong := next(wrong_tags(prompt), None):
        raise TaskFailed(f"prompt: {wrong}")
    tags = [LoraTag(name, weight) for name, weight in lora_weights(prompt).items()]
    return LORA.sub("", prompt).strip(), tags


def spans(prompt: str) -> list[Span | Break]:
    """Split the prompt into pieces with their weights; neighbours of one weight are one piece."""
    return _merged(_read(prompt))


@dataclass(frozen=True)
class _Bracket:
    """Opened bracket."""

    sign: str
    start: int
    """Index of the first piece inside it."""

    @property
    def usual(self) -> float:
        """Weight of a bracket that names none."""
        return MORE if self.sign == "(" else LESS


@dataclass(frozen=True)
class _Weighed:
    """Pieces between two brackets, from ``start`` to before ``end``, and their weight."""

    start: int
    end: int
    by: float


def _read(prompt: str) -> list[Span | Break]:
    pieces: list[Span | Break] = []
    opened: list[_Bracket] = []
    closed: list[_Weighed] = []

    def close(by: float) -> None:
        closed.append(_Weighed(opened.pop().start, len(pieces), by))

    for match in _TOKEN.finditer(prompt):
        if match["open"]:
            opened.append(_Bracket(match["open"], len(pieces)))
        elif match["break"]:
            pieces.append(BREAK)
        elif match["weight"] and opened and opened[-1].sign == "(":
            close(float(match["by"]))
        elif match["close"] and opened and opened[-1].sign + match["close"] in ("()", "[]"):
            close(opened[-1].usual)
        else:
            pieces.append(Span(match["escaped"] or match.group()))
    while opened:
        close(opened[-1].usual)
    return list(_weighed(pieces, closed))


def _weighed(pieces: list[Span | Break], brackets: list[_Weighed]) -> Iterator[Span | Break]:
    """Weigh each piece by the brackets around it, in one walk however deep they are nested."""
    # Popped from the end: by their start, and of those that start together the outermost first.
    waiting = sorted(brackets, key=lambda bracket: (-bracket.start, bracket.end))
    # Ends and weights of the brackets round this piece, innermost last; the first one never ends.
    around: list[tuple[int, float]] = [(len(pieces) + 1, 1.0)]
    for index, piece in enumerate(pieces):
        while around[-1][0] <= index:
            around.pop()
        while waiting and waiting[-1].start <= index:
            bracket = waiting.pop()
            if bracket.end > index:  # else it holds nothing
                around.append((bracket.end, around[-1][1] * bracket.by))
        yield Span(piece.text, around[-1][1]) if isinstance(piece, Span) else piece


def _merged(pieces: list[Span | Break]) -> list[Span | Break]:
    merged: list[Span | Break] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if isinstance(last, Span) and isinstance(piece, Span) and last.weight == piece.weight:
            merged[-1] = Span(last.text + piece.text, last.weight)
        else:
            merged.append(piece)
    return merged
