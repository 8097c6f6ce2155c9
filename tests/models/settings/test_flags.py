"""Neither true nor false is a number, though YAML has them and Python counts them as 1 and 0."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from pydantic import ValidationError

from models.errors import SettingsError
from models.settings import Settings
from models.settings.base import Group

NEEDED = {
    "stackName": "flags",
    "checkpoints": ".",
    "modelsRuntime": [{"name": "sd", "type": "fake"}],
}


def groups(under: type[Group]) -> Iterator[type[Group]]:
    for group in under.__subclasses__():
        yield group
        yield from groups(group)


def bounded_or_whole(group: type[Group]) -> Iterator[str]:
    """Yield the keys that refuse a text as no number, alone, in a list or in a mapping."""
    for name, field in group.model_fields.items():
        key = field.alias or name
        for given in ("x", ["x"], {"x": "x"}):
            if any(
                "_parsing" in kind and "bool" not in kind for kind in refusals(group, key, given)
            ):
                yield key


def refusals(group: type[Group], key: str, given: Any) -> set[str]:
    try:
        group.model_validate({key: given})
    except ValidationError as exc:
        return {error["type"] for error in exc.errors() if error["loc"][:1] == (key,)}
    except SettingsError:
        return set()
    return set()


def test_no_number_of_any_group_takes_a_flag() -> None:
    for name in ("backend", "comfyui", "diffusers", "fake", "sdwebui"):
        import_module(f"models.runtimes.{name}")
    found = [(group, key) for group in groups(Group) for key in bounded_or_whole(group)]

    assert len(found) > 80
    for group, key in found:
        for flag in (True, False):
            refused = [refusals(group, key, given) for given in (flag, [flag], {"x": flag})]
            assert all(refused), (group.__name__, key)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"ingest": {"replicas": True}}, "ingest.replicas: must be a whole number"),
        ({"tasks": {"maxAttempts": False}}, "tasks.maxAttempts: must be a whole number"),
        (
            {"ingress": {"resources": {"ours": True}}},
            "ingress.resources.ours: must be a number",
        ),
    ],
)
def test_it_is_named_by_its_path(given: Any, line: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.read(args=NEEDED | given)

    assert str(refused.value) == line


def test_what_is_a_flag_or_may_be_anything_stays_one() -> None:
    runtime = {"name": "sd", "type": "comfyui", "dynamicModel": True, "options": {"any": True}}
    settings = Settings.read(args=NEEDED | {"modelsRuntime": [runtime]})

    assert settings.models_runtime[0].dynamic_model is True
    assert settings.models_runtime[0].options == {"any": True}
