"""Plain words for wrong usage; Typer passes pydantic's messages on, which name no remedy."""

import difflib
import re
from typing import Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from models.plain import plain
from models.visible import visible

_BOUNDS = frozenset({"greater_than_equal", "less_than_equal"})
# Click's own sentence. The first `.*` takes all it can, so a value that holds these words, too, is
# cut at the last of them.
_CHOICE = re.compile(r"(?P<given>.*) is not one of (?P<known>.*)\.", re.DOTALL)


class Commands(TyperGroup):
    """Commands that explain wrong options in plain words."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that is asked for."""
        try:
            # Options of a subcommand are converted only when it is invoked.
            return super().invoke(ctx)
        except typer.BadParameter as exc:
            exc.message = explain(exc)
            raise


def explain(wrong: typer.BadParameter) -> str:
    """Say what is wrong with an option, and which of its values was probably meant."""
    cause = wrong.__cause__
    if not isinstance(cause, ValidationError):
        return wrong.message
    error = cause.errors()[0]
    if error["type"] in _BOUNDS:
        return _bounds(wrong.param)
    message = visible(plain(error))
    choice = _CHOICE.fullmatch(message)
    return _choice(choice["given"], choice["known"]) if choice else message


def _bounds(option: Any) -> str:
    if option.max is None:
        return f"must be at least {option.min}"
    if option.min is None:
        return f"must be at most {option.max}"
    return f"must be {option.min} to {option.max}"


def _choice(given: str, quoted: str) -> str:
    known = [name.strip("'") for name in quoted.split(", ")]
    near = difflib.get_close_matches(given.strip("'"), known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{given} is unknown; {hint}allowed: {', '.join(known)}"
