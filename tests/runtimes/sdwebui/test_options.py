"""Wrong settings are refused; a server that others can reach is not started."""

from typing import Any

import pytest

from deployments.adapter import RuntimeSpec
from deployments.runtimes import adapter_class
from deployments.runtimes.sdwebui import SdWebUiAdapter
from models.errors import SettingsError
from models.runtimes.backend import Process
from models.runtimes.sdwebui import Options
from models.task import Kind

URL = {"url": "http://127.0.0.1:7860"}


def made(**options: Any) -> SdWebUiAdapter:
    return SdWebUiAdapter(RuntimeSpec(name="web", options=options))


def test_it_is_found_by_its_name() -> None:
    assert adapter_class("sdwebui") is SdWebUiAdapter
    assert SdWebUiAdapter.kinds == frozenset(Kind) - {Kind.PIPELINE}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "options.backend: Field required"),
        ({"backend": {}}, "either command or url"),
        ({"backend": URL, "progressEvery": 0}, "options.progressEvery: .*greater than 0"),
        ({"backend": URL, "previewEvery": -1}, "options.previewEvery"),
        ({"backend": URL, "auth": "password"}, "options.auth: must be user:password"),
    ],
)
def test_a_wrong_option_is_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        made(**options)


def test_a_wrong_password_is_not_shown() -> None:
    with pytest.raises(SettingsError) as failed:
        made(backend=URL, auth="hunter2")

    assert "hunter2" not in str(failed.value)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--listen"], "--listen opens the server to others"),
        (["--share"], "--share opens the server to others"),
        (["--server-name", "0.0.0.0"], "--server-name must be 127.0.0.1"),
        (["--server-name=192.168.0.1"], "--server-name must be 127.0.0.1"),
        (["--server-name", "localhost.example.com"], "--server-name must be 127.0.0.1"),
        (["--server-name", "127.0.0.1", "--listen"], "--listen opens"),
    ],
)
def test_a_command_that_opens_the_server_to_others_is_refused(flags: list[str], told: str) -> None:
    with pytest.raises(SettingsError, match=rf"backend.command: {told}"):
        made(backend={"command": ["python", "launch.py", *flags]})


@pytest.mark.parametrize(
    ("given", "added"),
    [
        (["--nowebui"], ["--server-name", "127.0.0.1", "--port", "{port}"]),
        (["--server-name=localhost"], ["--port", "{port}"]),
        (["--port={port}"], ["--server-name", "127.0.0.1"]),
        (["--server-name", "127.0.0.1", "--port", "{port}"], []),
    ],
)
def test_a_command_is_told_where_to_listen(given: list[str], added: list[str]) -> None:
    backend = Process(command=("python", *given))
    options = Options(backend=backend)

    assert options.process.command == ("python", *given, *added)


def test_a_server_that_runs_is_taken_as_it_is() -> None:
    backend = Process(url=URL["url"])

    assert Options(backend=backend).process == backend
