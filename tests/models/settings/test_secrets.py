"""Secrets of a process, which stay where it finds them, and out of what is kept."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.errors import SettingsError
from models.settings import Settings
from models.settings.secrets import bound as bound_settings, completed
from tests.models.settings.test_settings import REFERENCE

SIGNING = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
OTHER = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWc="


def give(monkeypatch: pytest.MonkeyPatch, key: str, secret: str = SIGNING) -> None:
    monkeypatch.setenv("ATELIER_APIKEYS", json.dumps([{"name": "us", "key": key}]))
    monkeypatch.setenv("ATELIER_CALLBACKS__SECRET", secret)


def settings(**more: Any) -> Settings:
    return Settings.read(args=REFERENCE | more)


def secrets(settings: Settings) -> tuple[list[str], str | None]:
    """Return the secrets of the API keys, and the one that signs callbacks."""
    signing = settings.callbacks.secret
    keys = [each.key.get_secret_value() for each in settings.api_keys if each.key]
    return keys, signing.get_secret_value() if signing else None


def test_what_the_environment_gives_is_not_bound_and_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    give(monkeypatch, "sesame")
    read = settings(callbacks={"timeoutSeconds": 3})
    bound = bound_settings(read)

    assert b"sesame" not in (kept := pickle.dumps(bound))
    assert SIGNING.encode() not in kept
    assert completed(bound) == read

    give(monkeypatch, "another", OTHER)

    assert secrets(completed(bound)) == (["another"], OTHER)
    assert completed(bound).callbacks.timeout_seconds == 3


def test_whoever_starts_before_the_keys_are_there_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bound = bound_settings(settings())

    assert secrets(completed(bound)) == ([], None)
    give(monkeypatch, "sesame")
    assert secrets(completed(bound)) == (["sesame"], SIGNING)


def test_what_stands_in_a_file_goes_along_and_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file may not be where a process starts."""
    path = tmp_path / "config.yaml"
    keys = [{"name": "us", "key": "sesame"}]
    path.write_text(yaml.safe_dump(REFERENCE | {"apiKeys": keys}))
    bound = bound_settings(Settings.read(path))
    give(monkeypatch, "another")

    assert secrets(completed(bound)) == (["sesame"], SIGNING)


def test_no_other_setting_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    read = settings()
    bound = bound_settings(read)
    monkeypatch.setenv("ATELIER_TASKS__MAXATTEMPTS", "7")

    assert completed(bound) == read


def test_a_wrong_secret_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    bound = bound_settings(settings())
    monkeypatch.setenv("ATELIER_CALLBACKS__SECRET", "sesame")

    with pytest.raises(SettingsError, match=r"callbacks\.secret") as refused:
        completed(bound)
    assert "sesame" not in str(refused.value)
