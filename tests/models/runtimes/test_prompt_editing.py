"""Prompts that change while a picture is painted, as the Web UI reads them."""

import pytest

from models.runtimes.diffusers.prompt_editing import (
    MOST_EDITS,
    MOST_NESTED,
    MOST_PARTS,
    Clock,
    Part,
    parts,
    texts,
)

TEN = Clock(10)


@pytest.mark.parametrize(
    ("prompt", "read"),
    [
        ("a tram", [(10, "a tram")]),
        ("a [b:3]", [(3, "a "), (10, "a b")]),
        ("a [b: 3 ]", [(3, "a "), (10, "a b")]),
        ("a [b::3]", [(3, "a b"), (10, "a ")]),
        ("a [cat:dog:0.5]", [(5, "a cat"), (10, "a dog")]),
        ("a [cat:dog:.25] b", [(2, "a cat b"), (10, "a dog b")]),
        ("[(a:2):3]", [(3, ""), (10, "(a:2)")]),
        ("a[b:[c:d:2]:1]e", [(1, "abe"), (2, "ace"), (10, "ade")]),
        ("a [[[b]]:2]", [(2, "a "), (10, "a [[b]]")]),
        ("((a][:b:c [d:3]", [(3, "((a][:b:c "), (10, "((a][:b:c d")]),
        ("[a|b]", [(call, "ab"[(call - 1) % 2]) for call in range(1, 11)]),
        ("[a|]", [(call, ("a", "")[(call - 1) % 2]) for call in range(1, 11)]),
        ("[a:b:0]", [(10, "b")]),
        ("[a:b:-1]", [(10, "b")]),
        ("[a:b:99]", [(10, "a")]),
        ("[a:a:3] b", [(10, "a b")]),
        (r"\[a:b:3\] [c]", [(10, r"\[a:b:3\] [c]")]),
        ("a [cat] (dog:1.2) 4:3 a|b", [(10, "a [cat] (dog:1.2) 4:3 a|b")]),
        ("[a:b:c:3] [d|e:3] [f:g]", [(10, "[a:b:c:3] [d|e:3] [f:g]")]),
        ("a cat AND a dog", [(10, "a cat AND a dog")]),
    ],
)
def test_texts_change_where_the_web_ui_changes_them(
    prompt: str, read: list[tuple[int, str]]
) -> None:
    assert list(texts(prompt, TEN)) == read


@pytest.mark.parametrize(
    ("when", "read"),
    [
        ("1.5", [(5, "a"), (10, "b")]),
        ("12", [(2, "a"), (10, "b")]),
        ("0.5", [(10, "b")]),
        ("3", [(10, "b")]),
        ("2.0", [(10, "a")]),
    ],
)
def test_a_second_pass_counts_on(when: str, read: list[tuple[int, str]]) -> None:
    assert list(texts(f"[a:b:{when}]", Clock(10, before=10))) == read


def test_parts_have_weights() -> None:
    read = parts("a cat :1.2 AND a dog AND a [b:5]", TEN)

    assert read == (
        Part(((10, "a cat"),), 1.2),
        Part(((10, " a dog "),)),
        Part(((5, " a "), (10, " a b"))),
    )


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        (" AND ".join("a" * (MOST_PARTS + 1)), "parts joined by AND"),
        ("[" * (MOST_NESTED + 1) + "a" + ":3]" * (MOST_NESTED + 1), "nested deeper"),
        ("[a:3]" * (MOST_EDITS + 1), "edits in brackets"),
        ("a tram AND a cat :1000", "weight of 1000 is more than the 100"),
        ("[a|b|c|d|e|f|g|h]" + "word " * 3_500, "texts of"),
    ],
)
def test_more_than_can_be_encoded_is_refused(prompt: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parts(prompt, TEN)


@pytest.mark.parametrize("prompt", [" " * 200_000 + ":", "[a:" + " " * 200_000 + "]"])
def test_a_long_run_of_blanks_is_passed_over_at_once(prompt: str) -> None:
    assert parts(prompt, TEN) == (Part(((10, prompt),)),)


def test_brackets_that_only_weaken_are_read_however_many_are_open() -> None:
    prompt = "[" * 10_000 + "]" * 10_000

    assert texts(prompt, TEN) == ((10, prompt),)
