"""Text of unknown origin, made safe to print on a terminal.

An id, a link or an error may come from anybody who can send a task. Printed as they are, control
characters move the cursor, rewrite lines and windows' titles, and hide what is there.
"""

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of controls, invisible marks, surrogates, and breaks of lines."""
_JOINERS = frozenset("\u200c\u200d")  # letters of some scripts and emoji are made with them
_BYTE, _PLANE = 0x100, 0x10000


def visible(text: str) -> str:
    r"""Spell out what would not be seen: ESC is shown as ``\x1b``, a new line as ``\n``."""
    return "".join(_spelt(char) if _is_hidden(char) else char for char in text)


def visible_lines(text: str) -> str:
    """Spell out the same, but keep lines as lines, and make tabs blanks."""
    return "\n".join(visible(line.expandtabs()) for line in text.split("\n"))


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN and character not in _JOINERS


def _spelt(character: str) -> str:
    named = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(character)
    code = ord(character)
    wide = f"\\u{code:04x}" if code < _PLANE else f"\\U{code:08x}"
    return named or (f"\\x{code:02x}" if code < _BYTE else wide)
