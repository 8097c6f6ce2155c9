"""Secrets in the wrong place, which no error, log or traceback shows."""

import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cli.main import app
from models.errors import SettingsError
from models.runtimes import TYPES
from models.settings import Settings
from tests.models.settings.test_settings import REFERENCE

MARK = "s3cr3t-9aX7"
SCHEMA = Settings.model_json_schema(by_alias=True)
REFERENCE_NAMES = {name.upper() for name in REFERENCE}
_DEEPEST = 3


def placed(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Generate configurations with a value in every place, known to the settings or not.

    A place where the value is right, such as a name, is left out by the tests.
    """
    for key, within in _places():
        yield key, _nested(key, value)
        for wrong in (f"{MARK}x", "nonsense"):
            if within:
                yield f"{key}.{wrong}", _nested(f"{key}.{wrong}", value)
    yield "a key at the top", {MARK: "x"}
    yield "a mapping for a list", {"apiKeys": {"ana": MARK, MARK: "x"}}
    yield "a list for a mapping", {"callbacks": [MARK, {MARK: MARK}]}
    yield "a whole part misspelt", {"apiKeyz": [{"name": "ana", "key": MARK}]}
    yield "a part in another", {"apiKeys": [{"name": "ana", "key": "k", "modelRuntime": MARK}]}
    yield "the same secret twice", {"apiKeys": [{"name": n, "key": MARK} for n in ("ana", "bo")]}
    yield "deep", {"tasks": {"maxAttempts": {"a": [{MARK: MARK}]}}}
    for type_ in TYPES:
        for options in ({MARK: "x"}, {"auth": {"a": MARK}}, {"auth": [MARK]}, {"kep": MARK}):
            runtime = {"name": "a", "type": type_, "options": options}
            yield f"options of {type_}", {"modelsRuntime": [runtime]}
    for extra in ({MARK: 1}, {"runtime": {"inferenceApi": {MARK: MARK}}}, {"karpenter": MARK}):
        yield (
            "extraValues",
            {"modelsRuntime": [{"name": "a", "type": "fake", "extraValues": extra}]},
        )


def _places(
    schema: dict[str, Any] = SCHEMA, under: str = "", depth: int = 0
) -> Iterator[tuple[str, bool]]:
    """Walk the paths of all settings, and whether others stand within."""
    for name, field in schema["properties"].items():
        path = f"{under}.{name}".lstrip(".")
        options = [field, *field.get("anyOf", []), field.get("items", {})]
        models = [SCHEMA["$defs"][o["$ref"].rpartition("/")[2]] for o in options if "$ref" in o]
        inner = [model for model in models if "properties" in model]
        yield path, bool(inner)
        for model in inner if depth < _DEEPEST else ():
            yield from _places(model, f"{path}.0" if "items" in field else path, depth + 1)


_NEEDED = {
    "apiKeys": {"name": "ana", "key": "k"},
    "modelsRuntime": {"name": "a", "type": "fake"},
}


def _nested(path: str, value: Any) -> dict[str, Any]:
    """Put the value into mappings at this path."""
    first, _, rest = path.partition(".")
    if not rest:
        return {first: value}
    if rest.startswith("0."):
        return {first: [_NEEDED.get(first, {}) | _nested(rest[2:], value)]}
    return {first: _nested(rest, value)}


def said(call: Any) -> str:
    """Gather all that becomes of a refusal: its text, its traceback, the errors in its context."""
    try:
        call()
    except SettingsError as exc:
        whole, seen = [], exc
        while seen is not None:
            whole += [str(seen), repr(seen), *traceback.format_exception(seen)]
            seen = seen.__cause__ or seen.__context__  # type: ignore[assignment] # of any kind
        return "\n".join(whole)
    return ""


VALUES = [MARK, {MARK: MARK}, [MARK], [{MARK: [MARK]}], {"key": MARK}]


@pytest.mark.parametrize(
    "value", VALUES, ids=["text", "mapping", "list", "list of mappings", "part"]
)
def test_no_refusal_quotes_what_was_given(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    refused = 0
    with caplog.at_level(logging.DEBUG):
        for place, wrong in placed(value):
            told = said(lambda wrong=wrong: Settings.read(args=REFERENCE | wrong))
            refused += bool(told)
            assert MARK not in told, place

    assert refused > 100
    assert MARK not in caplog.text


def test_what_the_environment_gives_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("APIKEYS", "CALLBACKS", "MODELSRUNTIME", "TASKS", "APIGW"):
        for text in (MARK, f'[{{"name": "ana", "key": "{MARK}"', f'{{"{MARK}": 1}}', f'"{MARK}"'):
            monkeypatch.setenv(f"ATELIER_{name}", text)
            told = said(lambda: Settings.read(args=REFERENCE))

            assert MARK not in told
            assert told or name in REFERENCE_NAMES  # then the arguments won
        monkeypatch.delenv(f"ATELIER_{name}")
    for name in ("CALLBACKS__SECRET", f"CALLBACKS__{MARK}", "TASKS__MAXATTEMPTS"):
        monkeypatch.setenv(f"ATELIER_{name}", MARK)

        assert MARK.lower() not in said(lambda: Settings.read(args=REFERENCE)).lower()
        monkeypatch.delenv(f"ATELIER_{name}")


def test_an_environment_that_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_APIKEYS", "sesame")

    with pytest.raises(SettingsError, match=r"^apiKeys: must be a list$"):
        Settings.read(args=REFERENCE)


BROKEN = [
    f"a: [{MARK}".encode(),
    f"apiKeys:\n  - name: ana\n   key: {MARK}\n".encode(),
    f"apiKeys: *{MARK}\n".encode(),
    f"apiKeys: !{MARK} x\n".encode(),
    f"{MARK}: {MARK}: {MARK}\n".encode(),
    f"a: '{MARK}\n".encode(),
    f"\t{MARK}\n".encode(),
    f"a: {MARK} \xff\n".encode("latin-1"),
    f"a: {MARK} \x00\n".encode(),
    f"? [{MARK}]\n: x\n".encode(),
    f"? {{{MARK}: x}}\n: x\n".encode(),
    f"- {MARK}\n".encode(),
    MARK.encode(),
    f"1: {MARK}\nstackName: a\n".encode(),
    f"a: 2026-13-45\nb: {MARK}\n".encode(),
    f"<<: {MARK}\n".encode(),
    b"[" * 5000 + MARK.encode(),
]


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: repr(text[:24]))
def test_a_file_that_is_no_configuration_is_not_quoted(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(text)
    told = said(lambda: Settings.read(path))

    assert str(path) in told
    assert MARK not in told


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_the_command_that_checks_does_not_quote_it(tmp_path: Path, more: list[str]) -> None:
    path = tmp_path / "config.yaml"
    for text in BROKEN:
        path.write_bytes(text)
        answer = CliRunner().invoke(app, ["config", "check", str(path), *more])

        assert answer.exit_code == 2
        assert MARK not in answer.output
    for place, wrong in placed(MARK):
        path.write_text(yaml.safe_dump(REFERENCE | wrong))
        answer = CliRunner().invoke(app, ["config", "check", str(path), *more])

        assert MARK not in answer.output or answer.exit_code == 0, place


def test_a_mistake_is_still_found_by_its_name() -> None:
    """A word that reads like a setting is shown; of any other only the place."""
    given = [{"name": "ana", "key": "k", "calbackSecret": "x", "foo": 1}]
    lines = said(lambda: Settings.read(args=REFERENCE | {"apiKeys": given, "someSetting": 1}))

    assert "apiKeys[0].calbackSecret: unknown key; did you mean 'callbackSecret'?" in lines
    assert "apiKeys[0].…: unknown key; allowed: " in lines
    assert "someSetting: unknown key; allowed: " in lines


@pytest.mark.parametrize(
    "word",
    ["topsecret-481", "secrets-4x", "anysecrets", "keykeykey", "secretsabc", "callbackSecrEt9"],
)
@pytest.mark.parametrize("group", ["apiKeys", "callbacks", "secrets"])
def test_a_secret_that_resembles_a_key_is_not_shown(word: str, group: str) -> None:
    cases: dict[str, dict[str, Any]] = {
        "apiKeys": {"apiKeys": [{"name": "ana", "key": "k", word: "b"}]},
        "callbacks": {"callbacks": {word: "b"}},
        "secrets": {"apiKeys": [{"name": "ana", "secrets": [{"key": "k", word: "b"}]}]},
    }
    lines = said(lambda: Settings.read(args=REFERENCE | cases[group]))

    assert "…: unknown key; allowed: " in lines
    assert word not in lines
    assert "did you mean" not in lines


def test_what_prints_settings_prints_no_secret() -> None:
    runtime = {"name": "a", "type": "sdwebui", "options": {"auth": f"me:{MARK}"}}
    signing = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
    keys = [{"name": "ana", "key": MARK, "callbackSecret": signing}]
    given = {"modelsRuntime": [runtime], "apiKeys": keys, "callbacks": {"secret": signing}}
    settings = Settings.read(args=REFERENCE | given)

    for shown in (repr(settings), str(settings), f"{settings.models_runtime}"):
        assert MARK not in shown
        assert signing not in shown
    assert MARK not in json.dumps(settings.model_dump(mode="json")["api_keys"])
    assert pickle.loads(pickle.dumps(settings)) == settings
