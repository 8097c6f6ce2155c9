"""Errors of torch and of its libraries, as a message quotes them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from deployments.device_fault import fault_behind
from models.errors import AtelierError, TaskFailed

_FOLDERS = re.compile(r"(?<![\w.:/])/(?:[^\s/'\"`]+/)+")
# What a library tells the one who writes Python, who is not the one that reads the message.
_ADVICE = re.compile(r"\bplease\b|\w=(True|False)\b|https?://|\bpip install\b", re.IGNORECASE)
_LONGEST = 300
"""Most characters of a library's text that a message quotes."""


def first_line(error: Exception) -> str:
    """Return the error's first line, without the pages that some libraries add."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def described(error: Exception) -> str:
    """Name an error by its class and its text, without the server's paths and advice on Python."""
    sentences = re.split(
        r"(?<=[.!?])\s+", _FOLDERS.sub("", " ".join(first_line(error).replace("`", "").split()))
    )
    text = " ".join(each for each in sentences if not _ADVICE.search(each))
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return f"{type(error).__name__}: {cut}".removesuffix(": ")


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Blame a file, named as in a message, for whatever is raised while it is read.

    A device's fault stays what it is, for it says nothing of the file.

    Raises:
        TaskFailed: anything else was raised; its class and text are told, without paths.
    """
    try:
        yield
    except AtelierError:
        raise
    except Exception as exc:
        if fault_behind(exc):
            raise
        raise TaskFailed(f"{what} cannot be read ({described(exc)})") from exc
