"""Prompts whose words change while a picture is painted: ``[from:to:when]``, ``[a|b]``, ``AND``.

Pure text. When a text counts is told in calls of the UNet, as the Web UI counts them.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

MOST_PARTS = 8
"""Most parts of a prompt that are joined by AND: each is a further row in every call."""
MOST_NESTED = 16
"""Most edits that stand inside one another."""
MOST_EDITS = 64
"""Most edits of a prompt: all are looked at for each call."""
MOST_WEIGHT = 100
"""Most weight of a LoRA, a word or a part, either way: far more than any picture bears."""
MOST_VARIED = 100_000
"""Most characters of all texts that one prompt becomes."""

_TOKEN = re.compile(r"\\.|[\[\]():|]|[^\\\[\]():|]+|\\", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")
_AND = re.compile(r"\bAND\b")
_SEPARATORS = 2
"""Colons of an edit with both texts."""


@dataclass(frozen=True)
class Clock:
    """Calls of the UNet by which the words of a pass change."""

    calls: int
    """Calls of this pass, of the whole of it, whatever a source image spares."""
    before: int = 0
    """Calls of the first pass, if this is the second one."""

    def call(self, when: str) -> int:
        """Return the call until which what comes first counts; a share counts from its pass on."""
        number = float(when)
        if "." in when:
            number = (number - (1 if self.before else 0)) * self.calls
        else:
            number -= self.before
        return min(self.calls, int(number))


Texts = tuple[tuple[int, str], ...]
"""Texts one after another, each with the last call (from 0) in which it counts; the last text
counts in all that follow, too."""


@dataclass(frozen=True)
class Part:
    """Part of a prompt between two ANDs."""

    texts: Texts
    weight: float = 1.0


def parts(prompt: str, clock: Clock) -> tuple[Part, ...]:
    """Read a prompt that may be composed and edited.

    Raises:
        ValueError: it becomes too many texts, or its parts or edits are too many.
    """
    found = _AND.split(prompt)
    if len(found) > MOST_PARTS:
        raise ValueError(f"{len(found)} parts joined by AND are more than the {MOST_PARTS} allowed")
    return tuple(_part(text, clock) for text in found)


def texts(prompt: str, clock: Clock) -> Texts:
    """Read a prompt that may be edited; AND is a word of it.

    Raises:
        ValueError: it becomes too many texts, or its edits are nested too deep.
    """
    nodes = _read(prompt)
    found: list[tuple[int, str]] = []
    for call in sorted({clock.calls, *_changes(nodes, clock)}):
        text = _written(nodes, call, clock)
        if found and found[-1][1] == text:
            found.pop()  # the same text goes on counting
        found.append((call, text))
    varied = sum(map(len, {text for _, text in found}))
    if len(found) > 1 and varied > MOST_VARIED:
        raise ValueError(
            f"with its edits it becomes texts of {varied} characters, more than the {MOST_VARIED} "
            "allowed"
        )
    return tuple(found)


def _part(text: str, clock: Clock) -> Part:
    # Not by a search of one pattern, which would begin anew at each blank of a long run.
    words, colon, number = text.rpartition(":")
    if not colon or (weight := _NUMBER.fullmatch(number.strip())) is None:
        return Part(texts(text, clock))
    if abs(by := float(weight[0])) > MOST_WEIGHT:
        raise ValueError(f"a part's weight of {by:g} is more than the {MOST_WEIGHT} allowed")
    return Part(texts(words.rstrip(), clock), by)


@dataclass(frozen=True)
class _Edit:
    """Choice between sequences of nodes, by the call."""

    choices: tuple[tuple["_Node", ...], ...]
    when: str | None = None
    """Call or share of all at which the second choice begins; None: they take turns."""

    @cached_property
    def depth(self) -> int:
        inner = (node.depth for nodes in self.choices for node in nodes if isinstance(node, _Edit))
        return 1 + max(inner, default=0)

    def chosen(self, call: int, clock: Clock) -> tuple["_Node", ...]:
        if self.when is None:
            return self.choices[(call - 1) % len(self.choices)]
        return self.choices[0 if call <= clock.call(self.when) else 1]


_Node = str | _Edit


@dataclass
class _Bracket:
    """Open bracket, by the index of its node, and the separators directly inside it."""

    sign: str
    start: int
    colons: list[int]
    bars: list[int]


def _read(prompt: str) -> tuple[_Node, ...]:
    nodes: list[_Node] = []
    opened: list[_Bracket] = []
    edits = 0
    for match in _TOKEN.finditer(prompt):
        sign, inner = match.group(), opened[-1] if opened else None
        nodes.append(sign)
        if sign in "([":
            opened.append(_Bracket(sign, len(nodes) - 1, [], []))
        elif inner is None:
            continue
        elif sign == ":":
            inner.colons.append(len(nodes) - 1)
        elif sign == "|":
            inner.bars.append(len(nodes) - 1)
        elif inner.sign + sign in ("()", "[]"):
            opened.pop()
            if sign == "]" and (edit := _edit(nodes, inner)) is not None:
                nodes[inner.start :] = [edit]
                edits += 1
    if edits > MOST_EDITS:
        raise ValueError(f"{edits} edits in brackets are more than the {MOST_EDITS} allowed")
    return _joined(nodes)


def _edit(nodes: Sequence[_Node], bracket: _Bracket) -> _Edit | None:
    """Read the nodes from a square bracket on as an edit; None if they only weaken."""
    start, end = bracket.start, len(nodes) - 1
    if bracket.bars and not bracket.colons:
        edit = _Edit(tuple(_split(nodes, start, bracket.bars, end)))
    elif bracket.bars or not 1 <= len(bracket.colons) <= _SEPARATORS:
        return None
    else:
        *choices, last = _split(nodes, start, bracket.colons, end)
        written = "".join(node for node in last if isinstance(node, str))
        when = _NUMBER.fullmatch(written.strip())
        if when is None or any(isinstance(node, _Edit) for node in last):
            return None
        edit = _Edit(tuple(choices if len(choices) == _SEPARATORS else [(), *choices]), when[0])
    if edit.depth > MOST_NESTED:
        raise ValueError(f"edits in brackets are nested deeper than the {MOST_NESTED} allowed")
    return edit


def _split(
    nodes: Sequence[_Node], start: int, separators: Sequence[int], end: int
) -> Iterator[tuple[_Node, ...]]:
    for before, after in zip([start, *separators], [*separators, end], strict=True):
        yield _joined(nodes[before + 1 : after])


def _joined(nodes: Iterable[_Node]) -> tuple[_Node, ...]:
    """Join neighbouring texts to one."""
    joined: list[_Node] = []
    for is_text, group in groupby(nodes, lambda node: isinstance(node, str)):
        found = list(group)
        joined += ["".join(map(str, found))] if is_text else found
    return tuple(joined)


def _changes(nodes: Sequence[_Node], clock: Clock) -> Iterator[int]:
    """Yield the calls in which a text may count for the last time."""
    for node in nodes:
        if isinstance(node, str):
            continue
        if node.when is None:
            yield from range(1, clock.calls)
        elif (call := clock.call(node.when)) >= 1:
            yield call
        for choice in node.choices:
            yield from _changes(choice, clock)


def _written(nodes: Sequence[_Node], call: int, clock: Clock) -> str:
    return "".join(
        node if isinstance(node, str) else _written(node.chosen(call, clock), call, clock)
        for node in nodes
    )
