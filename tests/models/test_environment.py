"""Settings that come from the environment."""

import pytest

from models.errors import SettingsError
from models.settings import Settings

ARGS = {"stackName": "a", "checkpoints": ".", "modelsRuntime": [{"name": "a", "type": "fake"}]}


def test_a_list_in_a_group_is_read_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_INPUTS__ALLOWHOSTS", '["127.0.0.1:9000"]')
    monkeypatch.setenv("ATELIER_VPC__ZONES", '["a", "b"]')
    monkeypatch.setenv("ATELIER_CALLBACKS__RETRYSECONDS", "[5, 30]")

    settings = Settings.read(args=ARGS)

    assert settings.inputs.allow_hosts == ("127.0.0.1:9000",)
    assert settings.vpc.zones == ("a", "b")
    assert settings.callbacks.retry_seconds == (5, 30)


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("ATELIER_VPC__ZONES", "a, b", r"vpc\.zones"),
        ("ATELIER_INPUTS__ALLOWHOSTS", "127.0.0.1", r"inputs\.allowHosts"),
        ("ATELIER_TASKS", "{", "tasks"),
        ("ATELIER_APIKEYS", '[{"name": "a", "key": "hidden"', "apiKeys"),
    ],
)
def test_what_is_no_json_is_refused_by_its_key(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, key: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=f"^{key}") as refused:
        Settings.read(args=ARGS)
    assert "hidden" not in str(refused.value)
