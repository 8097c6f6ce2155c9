"""Numbers that a measurement cannot begin with are refused by the name of their option."""

from importlib import import_module

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

ANY = {"seed"}
"""Options whose number may be any."""


def command(module: str) -> typer.Typer:
    app = typer.Typer()
    app.command()(import_module(f"bench.{module}").main)
    return app


@pytest.mark.parametrize(
    ("module", "more"),
    [
        ("affinity", []),
        ("chaos.__main__", []),
        ("compare", ["harness"]),
        ("cost", ["harness"]),
        ("front", []),
        ("overlap", []),
        ("previews", []),
        ("router_cpu", []),
        ("scale", []),
        ("simulate", []),
    ],
)
def test_each_number_has_a_least_one_and_names_its_option(module: str, more: list[str]) -> None:
    app = command(module)
    asked = 0
    for option in get_command(app).params:
        kind = str(vars(option)["type_descriptor"].annotation)  # typer's own
        if option.name in ANY or not ("int" in kind or "float" in kind):
            continue
        asked += 1
        (name,) = option.opts
        refused = CliRunner().invoke(app, [f"{name}=-1", *more])

        assert refused.exit_code == 2, name
        assert name in refused.output
    assert asked or module == "simulate"


@pytest.mark.parametrize(
    ("module", "given"),
    [
        ("affinity", "--tasks=0"),
        ("router_cpu", "--replicas=0"),
        ("overlap", "--backlog=2"),
        ("front", "--count=1"),
        ("previews", "--steps=5"),
        ("previews", "--side=60"),
        ("scale", "--gpu-seconds=0"),
    ],
)
def test_what_would_measure_nothing_is_refused(module: str, given: str) -> None:
    refused = CliRunner().invoke(command(module), [given])

    assert refused.exit_code == 2
    assert given.partition("=")[0] in refused.output
