"""The prompt language, without any encoder."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from deployments.runtimes.diffusers.prompt import (
    BREAK,
    LESS,
    MORE,
    Break,
    LoraTag,
    Span,
    loras,
    spans,
)
from models.errors import TaskFailed
from models.runtimes.diffusers import DIFFUSERS, Options
from models.runtimes.diffusers.prompts import MOST_CHARACTERS, MOST_LORAS, unsupported

words = st.text(st.characters(codec="utf-8", exclude_characters="()[]\\:B"), min_size=1)


@pytest.mark.parametrize(
    ("prompt", "read"),
    [
        ("", []),
        ("a tram", [Span("a tram")]),
        ("a (tram)", [Span("a "), Span("tram", MORE)]),
        ("a ((tram))", [Span("a "), Span("tram", MORE * MORE)]),
        ("a [tram]", [Span("a "), Span("tram", LESS)]),
        ("a (tram:1.5) b", [Span("a "), Span("tram", 1.5), Span(" b")]),
        ("(a (b:2) c:0.5)", [Span("a ", 0.5), Span("b", 1.0), Span(" c", 0.5)]),
        (r"a \(tram\)", [Span("a (tram)")]),
        (r"a \\ b", [Span(r"a \ b")]),
        ("a (tram", [Span("a "), Span("tram", MORE)]),
        ("a tram)", [Span("a tram)")]),
        ("4:3 and [b:1.2)", [Span("4:3 and "), Span("b:1.2)", LESS)]),
        ("a BREAK b", [Span("a "), BREAK, Span(" b")]),
        ("Big BREAKFAST", [Span("Big BREAKFAST")]),
    ],
)
def test_the_language(prompt: str, read: list[Span | Break]) -> None:
    assert _rounded(spans(prompt)) == _rounded(read)


@given(words)
def test_words_alone_are_one_piece(text: str) -> None:
    assert spans(text) == [Span(text)]


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    for piece in spans(text):
        assert not isinstance(piece, Span) or piece.text


@given(st.text(st.characters(exclude_characters="B")))
def test_escaped_text_is_itself(text: str) -> None:
    escaped = re.sub(r"([\\()\[\]])", r"\\\1", text)

    assert spans(escaped) == ([Span(text)] if text else [])


@given(words, st.integers(1, 6))
def test_brackets_multiply(text: str, depth: int) -> None:
    (piece,) = spans("(" * depth + text + ")" * depth)

    assert isinstance(piece, Span)
    assert piece.text == text
    assert piece.weight == pytest.approx(MORE**depth)


@given(words, st.floats(0.1, 2).map(lambda weight: round(weight, 3)))
def test_a_weight_is_taken_as_it_is_written(text: str, weight: float) -> None:
    assert spans(f"({text}:{weight})") == [Span(text, weight)]


@pytest.mark.parametrize(
    ("prompt", "pieces"),
    [
        ("(a [b] c", [Span("a ", MORE), Span("b", MORE * LESS), Span(" c", MORE)]),
        ("((a) b) c", [Span("a", MORE * MORE), Span(" b", MORE), Span(" c")]),
        ("()a ((b))", [Span("a "), Span("b", MORE * MORE)]),
        ("(a:2 (b:3) c", [Span("a:2 ", MORE), Span("b", MORE * 3), Span(" c", MORE)]),
    ],
)
def test_a_piece_counts_by_all_brackets_around_it(prompt: str, pieces: list[Span]) -> None:
    assert _rounded(spans(prompt)) == _rounded(pieces)


def test_brackets_are_read_in_one_walk_however_many_are_open() -> None:
    pieces = spans("(a" * (MOST_CHARACTERS // 2))

    assert len(pieces) > 1000
    assert pieces[:2] == [Span("a", MORE), Span("a", MORE * MORE)]


def test_lora_tags_are_taken_out() -> None:
    text, tags = loras("a <lora:bold:0.8> tram <lora:soft> <lyco:old:-1>")

    assert text == "a  tram"
    assert tags == [LoraTag("bold", 0.8), LoraTag("soft", 1.0), LoraTag("old", -1.0)]


def test_a_lora_tag_with_a_wrong_weight_is_refused_with_an_example() -> None:
    with pytest.raises(TaskFailed, match=r"<lora:name:0\.8>"):
        loras("<lora:bold:much>")


def test_tags_of_one_lora_add_up() -> None:
    _, tags = loras("<lora:bold:0.1><lora: bold :0.2> a <lyco:bold><lora:soft:1><lora:soft:-1>")

    assert tags == [LoraTag("bold", 1.3), LoraTag("soft", 0)]


def test_a_lora_is_read_once_however_often_it_is_named() -> None:
    _, tags = loras("<lora:loha:0.01>" * 1200 + "a")

    assert tags == [LoraTag("loha", 12.0)]


def test_loras_are_bounded_in_number() -> None:
    names = [f"<lora:{n}:0>" for n in range(MOST_LORAS)]

    assert len(loras("".join(names * 2))[1]) == MOST_LORAS
    with pytest.raises(TaskFailed, match=f"^prompt: {MOST_LORAS + 1} LoRAs are more than the"):
        loras("".join([*names, "<lora:more:0>"]))


def test_the_weights_of_one_loras_tags_are_bounded_together() -> None:
    with pytest.raises(TaskFailed, match="one LoRA add up to a weight of -120"):
        loras("<lora:a:-60> <lora:a:-60>")


@pytest.mark.parametrize(
    "tag",
    [
        *("<lora::1>", "<lora: :1>", "<lora:>", "<LORA:kohya:1>", "<Lyco:kohya>", "<lora :a:1>"),
        *("<lora:kohya:1", "< lora:kohya:1>", "<lora:a<b:1>"),
    ],
)
def test_a_tag_that_is_none_is_no_word_of_the_prompt(tag: str) -> None:
    with pytest.raises(TaskFailed, match=r"tag at character 3 must be written as <lora:name:wei"):
        loras(f"a {tag}")


def test_a_task_with_wrong_tags_is_refused_when_it_is_sent() -> None:
    content = {"prompt": "<lora::1>" * 100, "negative_prompt": "<lora::1>"}
    faults = DIFFUSERS.faults("text-to-image", content, Options())

    assert [fault.field for fault in faults] == ["prompt"] * 3


def test_what_would_be_lost_is_refused() -> None:
    [message] = unsupported("a <hypernet:x:1>")

    assert message == "hypernetworks are not supported here (at character 3)"


@pytest.mark.parametrize("prompt", ["a [cat]", r"\[a|b\]", "a (b:1.2)", "hands and ANDROID", "a|b"])
def test_the_rest_is_not(prompt: str) -> None:
    assert not list(unsupported(prompt))


def _rounded(pieces: Sequence[Span | Break]) -> list[Span | Break]:
    return [
        Span(piece.text, round(piece.weight, 9)) if isinstance(piece, Span) else piece
        for piece in pieces
    ]
