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


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ATELIER_TASK__MAXATTEMPTS", "ATELIER_TASKS__MAXATTEMPTS"),
        ("atelier_task__maxattempts", "ATELIER_TASKS__MAXATTEMPTS"),
        ("ATELIER_STACK_NAME", "ATELIER_STACKNAME"),
        ("ATELIER_APIKEY", "ATELIER_APIKEYS"),
        ("ATELIER_MODELRUNTIME", "ATELIER_MODELSRUNTIME"),
    ],
)
def test_a_variable_that_is_nearly_a_setting_is_refused_with_what_was_meant(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "hidden")

    with pytest.raises(SettingsError) as refused:
        Settings.read(args=ARGS)
    assert str(refused.value) == (
        f"{name.upper()}: no setting has this name; did you mean {meant}?"
    )


@pytest.mark.parametrize("name", ["ATELIER_NOSUCH__KEY", "ATELIER_URL__X", "ATELIER___A"])
def test_a_group_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "5")

    with pytest.raises(SettingsError, match=f"^{name}: no setting has this name$"):
        Settings.read(args=ARGS)


@pytest.mark.parametrize(
    "name", ["API_KEY", "PROFILE", "URL", "CONFIG", "TOOLS", "SERVICE_HOST", "PORT", "PORT_80_TCP"]
)
def test_other_variables_of_the_name_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"ATELIER_{name}", "x")

    assert Settings.read(args=ARGS).stack_name == "a"


@pytest.mark.parametrize(
    ("wrong", "right"), [("stackname", "stackName"), ("apigw", "APIGW"), ("APIKEYS", "apiKeys")]
)
def test_keys_have_one_spelling(wrong: str, right: str) -> None:
    with pytest.raises(SettingsError, match=f"^{wrong}: unknown key; did you mean '{right}'"):
        Settings.read(args=ARGS | {wrong: "b"})


@pytest.mark.parametrize("host", ["http://a", "a/b", "a:", "a:b", "a:0", "a:70000", "", "::1", "*"])
def test_a_host_that_would_never_be_met_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match=r"^inputs\.allowHosts\[0\]: "):
        Settings.read(args=ARGS | {"inputs": {"allowHosts": [host]}})


@pytest.mark.parametrize("host", ["a", "a.test:80", "10.0.0.1", "[::1]", "[::1]:9000", "my_host"])
def test_a_host_may_have_a_port(host: str) -> None:
    settings = Settings.read(args=ARGS | {"inputs": {"allowHosts": [host]}})

    assert settings.inputs.allow_hosts == (host,)
