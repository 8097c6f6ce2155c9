"""Words of ComfyUI's as clients are told them: short, and without the server's paths."""

import re
from pathlib import PurePosixPath, PureWindowsPath

LONGEST_NAME = 60
"""Characters of a node's id or field that are told: a client's graph may have any."""
_LONGEST = 1_000  # characters
_READ = 20_000  # characters in which paths are looked for
# Behind a word it is prose ("and/or"), and with two strokes a URL.
_PATH = re.compile(r"(?<![\w./])/(?!/)(?:[^\s/'\"`,;:()<>\[\]]+/)+[^\s/'\"`,;:()<>\[\]]*")
_WINDOWS_PATH = re.compile(
    r"(?<!\w)[A-Za-z]:\\(?:[^\s\\'\"`,;:()<>\[\]]+\\)*[^\s\\'\"`,;:()<>\[\]]*"
)
# A hash has 64 characters; what is longer, and no word, is a file in base64.
_DATA = re.compile(r"[A-Za-z0-9+/=_-]{100,}")


def brief(message: object) -> str:
    """Shorten what ComfyUI says: of a path its last name, of a picture its length."""
    text = _DATA.sub(lambda found: f"[{len(found[0])} characters]", str(message).strip())[:_READ]
    text = _PATH.sub(lambda found: f"…/{PurePosixPath(found[0]).name}", text)
    text = _WINDOWS_PATH.sub(lambda found: f"…\\{PureWindowsPath(found[0]).name}", text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
