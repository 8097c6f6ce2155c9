import pytest

from models.visible import visible, visible_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a fox", "a fox"),
        ("\x1b[2Ja", r"\x1b[2Ja"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("a\u2028b", r"a\u2028b"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\ud800", r"\ud800"),
        ("\U000e0001", r"\U000e0001"),
        ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"),
    ],
    ids=["plain", "escape", "breaks", "separator", "direction", "surrogate", "tag", "joiner"],
)
def test_what_would_not_be_seen_is_spelt_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_lines_stay_lines_and_tabs_become_blanks() -> None:
    assert visible_lines("a\tb\n\x07c") == "a       b\n\\x07c"
