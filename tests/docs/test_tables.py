"""Tables of the documents list what the code has: settings, options, methods, fields, commands."""

import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import typer
from pydantic import BaseModel

from atelier import Client, TaskRequest, TaskView
from cli import exit_codes
from cli.main import app
from models.runtimes import TYPES
from models.settings import Settings
from models.settings.scaling import Scaling
from tests.docs.pages import PAGES, ROOT, spans

_SETTING = re.compile(r"([A-Za-z]+(?:\[\])?(?:\.[A-Za-z]+)+)(?:: .*)?")


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the table whose first row is this."""
    text = (ROOT / page).read_text()
    table = text[text.index(f"\n{heading}\n") :].strip().split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in table]


def named(cell: str) -> list[str]:
    """The words of code in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models within an annotation, such as ``tuple[Runtime, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


def is_setting(path: str) -> bool:
    """Tell whether a dotted path leads to a setting; below an open mapping every path does."""
    models: list[type[BaseModel]] = [Settings]
    for key in path.replace("[]", "").split("."):
        fields = [f for model in models for f in model.model_fields.values() if f.alias == key]
        if not fields:
            return False
        if "Mapping" in str(fields[0].annotation):
            return True
        models = list(models_in(fields[0].annotation))
    return True


def settings_of(page: str) -> Iterator[str]:
    """The dotted names on a page that begin as a setting does."""
    tops = {str(field.alias) for field in Settings.model_fields.values()}
    for span in spans(page):
        found = _SETTING.fullmatch(span)
        if found and found[1].partition(".")[0].removesuffix("[]") in tops:
            yield found[1]


@pytest.mark.parametrize("page", PAGES)
def test_a_setting_that_is_named_is_one(page: str) -> None:
    assert [name for name in settings_of(page) if not is_setting(name)] == []


def test_a_misspelt_setting_is_none() -> None:
    assert is_setting("modelsRuntime[].nodes.maxGpus")
    assert not is_setting("tasks.maxAttempt")


@pytest.mark.parametrize(
    ("type_", "heading"),
    [
        ("diffusers", "| key | default | |"),
        ("sdwebui", "| option | default | |"),
        ("comfyui", "| option | default | |"),
    ],
)
def test_a_types_options_are_listed_with_their_defaults(type_: str, heading: str) -> None:
    fields = {str(f.alias): f for f in TYPES[type_].options.model_fields.values()}
    listed = {named(cells[0])[0]: cells[1] for cells in rows(f"docs/{type_}.md", heading)}

    assert listed.keys() == fields.keys()
    for key, told in listed.items():
        default = fields[key].default
        if isinstance(default, bool | int | float):
            assert told == str(default).lower(), key


def test_the_settings_of_scaling_are_listed_with_their_defaults() -> None:
    listed = {
        named(cells[0])[0]: cells[1]
        for cells in rows("docs/settings.md", "| `scaling` | default | |")
    }
    defaults = {str(f.alias): f.default for f in Scaling.model_fields.values()}

    assert listed == {
        key: str(default).lower() if isinstance(default, bool | int | float) else ""
        for key, default in defaults.items()
    }


def test_the_clients_methods_are_listed_with_their_parameters() -> None:
    listed = [call for cells in rows("docs/client.md", "| method | |") for call in named(cells[0])]
    methods = {name for name, _ in inspect.getmembers(Client, callable) if name[0] != "_"}
    for call in listed:
        name, _, given = call.rstrip(")").partition("(")
        parameters = inspect.signature(getattr(Client, name)).parameters
        words = [word.partition("=")[0].strip(" *") for word in given.split(",") if word]
        assert name == "send" or set(words) <= parameters.keys(), call

    assert methods - {call.partition("(")[0] for call in listed} <= {"close"}


def test_the_fields_of_a_task_are_listed() -> None:
    asked = {named(cells[0])[0] for cells in rows("docs/api.md", "| field | |")}
    text = (ROOT / "docs/api.md").read_text()
    found = re.search(r"## Find\n.*?\n(\| field .*?)\n\n", text, re.DOTALL)
    assert found
    first = re.findall(r"^\| (.+?) \|", found[1], re.MULTILINE)

    assert asked == set(TaskRequest.model_fields)
    told = {name.partition(".")[0] for cell in first for name in named(cell)}
    assert told <= set(TaskView.model_fields)


def test_the_commands_are_listed() -> None:
    group: Any = typer.main.get_command(app)
    cells = [cells[0] for cells in rows("docs/cli.md", "| command | |")]
    listed = {call.split()[0] for cell in cells for call in named(cell)}

    assert listed == set(group.commands)


def test_the_exit_codes_are_listed() -> None:
    codes = {int(cells[0]) for cells in rows("docs/cli.md", "| exit code | |")}
    known = {code for code in vars(exit_codes).values() if isinstance(code, int)}

    assert codes == {*known, 130}


def test_each_promise_under_a_fault_is_shown_by_tests_that_are_there() -> None:
    sources = "\n".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    functions = set(re.findall(r"^(?:async )?def (test_\w+)", sources, re.MULTILINE))
    table = rows("ARCHITECTURE.md", "| fault | promised | by | it costs | shown by |")

    assert table
    for fault, *_, shown in table:
        assert named(shown), fault
        assert set(named(shown)) <= functions, fault
