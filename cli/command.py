"""Turn functions into Typer commands, with shared options and errors as exit codes.

A parameter whose type is a dataclass stands for an option for each of its fields: so commands share
options. The first of each command is `Connection`, or another that can `complain`.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints

import typer

from atelier import AtelierError

Command = Callable[..., None]


def command(function: Command) -> Command:
    """Make a function a command: turn its dataclass parameters into options, report its errors."""
    hints = get_type_hints(function)
    groups = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    own = [p for p in signature(function).parameters.values() if p.name not in groups]
    shared = [option for group in groups.values() for option in _options(group)]

    @wraps(function)
    def run(**given: Any) -> None:
        connection, *others = [_filled(group, given) for group in groups.values()]
        try:
            function(connection, *others, **given)
        except BrokenPipeError:  # the reader has closed the pipe
            raise
        except (AtelierError, OSError) as exc:
            raise typer.Exit(connection.complain(exc)) from None

    # Typer asks for the signature, and would be shown that of the function, as `wraps` has it.
    run.__signature__ = Signature([*own, *shared])  # type: ignore[attr-defined]
    return run


def _options(group: Any) -> Iterator[Parameter]:
    # Typer's options are the extras of `Annotated`, which are left out unless asked for.
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        annotation, default = hints[field.name], field.default
        yield Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _filled(group: Any, given: dict[str, Any]) -> Any:
    """Make an options group from the values given for it, which are taken out of ``given``."""
    return group(**{field.name: given.pop(field.name) for field in fields(group)})
