"""Text of a message, made fit to be shown: what may be a secret is hidden, what is long is cut."""

import re
from collections.abc import Mapping
from typing import Any

from models import strict_json

_HIDDEN = "(hidden)"
_SECRET = re.compile(
    r"pass(?:word|wd|phrase)?$|secret|api.?key|access.?key|authorization|(?:^|[_-])auth$|credential|cookie|signature"
    r"|(?:^|[_-])token$|^token$",
    re.IGNORECASE,
)
"""Names of what may be a secret."""
_URL = re.compile(r"\b([a-z][a-z0-9+.-]{0,20}://)([^\s\"'<>\\]+)", re.IGNORECASE)
_BARE = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bwhsec_[A-Za-z0-9+/=_-]+|\b(?:bearer|basic)\s+[^\s\"']+",
    re.IGNORECASE,
)
"""Secrets that are known by their own look."""
_NAME = re.compile(r"\b([\w.-]{1,60})\"?\s{0,5}[:=]\s{0,5}")
"""Name before a value in text that is no JSON, such as JSON that was cut off."""
_VALUE = re.compile(r"[^,\n]*")
_DEEPEST = 40  # levels; beyond them nothing is shown
_LONGEST = 2_000  # characters of one string
_LONGEST_BLOCK = 120
"""Characters of a string without blanks, which is a picture in base64 if it is longer."""


def shown(text: str, most: int) -> str:
    """Write a message's text without secrets, in ``most`` characters at most.

    Hidden are the values of keys that are named like secrets, user and query of each URL (a signed
    link has its signature there), and what looks like a key. The text is no message any more.
    """
    try:
        body = strict_json.read(text)
    except ValueError:
        return cut(_without_secrets(text), most)
    return cut(strict_json.written(_value(body, 0)), most)


def shown_attributes(attributes: Mapping[str, str], most: int) -> dict[str, str]:
    """Write attributes of a message without secrets, each in ``most`` characters at most."""
    return {
        cut(name, most): _HIDDEN if _SECRET.search(name) else cut(_without_secrets(text), most)
        for name, text in attributes.items()
    }


def cut(text: str, most: int) -> str:
    """Cut a text to so many characters, and say so at its end."""
    if len(text) <= most:
        return text
    end = f"… ({len(text)} characters)"
    return text[: max(0, most - len(end))] + end


def _value(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        return "…"
    match value:
        case dict():
            return {name: _named(name, each, depth + 1) for name, each in value.items()}
        case list():
            return [_value(each, depth + 1) for each in value]
        case str():
            text = _without_secrets(value)
            return cut(text, _LONGEST if re.search(r"\s", text) else _LONGEST_BLOCK)
        case _:
            return value


def _named(name: str, value: Any, depth: int) -> Any:
    # Numbers are none: `token_merging_ratio` and the like are settings of a picture.
    is_secret = isinstance(value, str | list | dict) and bool(value) and _SECRET.search(name)
    return _HIDDEN if is_secret else _value(value, depth)


def _without_secrets(text: str) -> str:
    return _BARE.sub(_HIDDEN, _URL.sub(_url, _without_pairs(text)))


def _without_pairs(text: str) -> str:
    """Hide what follows a secret's name, to the next comma or the end of the line."""
    parts: list[str] = []
    at = 0
    for name in _NAME.finditer(text):
        value = _VALUE.match(text, name.end())
        if value and name.start() >= at and _SECRET.search(name[1]):
            parts += [text[at : name.end()], _HIDDEN]
            at = value.end()
    return "".join([*parts, text[at:]])


def _url(found: re.Match[str]) -> str:
    """Write a URL without user, query and fragment."""
    address, *more = re.split(r"[?#]", found[2], maxsplit=1)
    place, slash, path = address.partition("/")
    user, at, host = place.rpartition("@")
    user = _HIDDEN if at and user else user
    return f"{found[1]}{user}{at}{host}{slash}{path}" + (f"?{_HIDDEN}" if more else "")
