"""`atelier up` as a process: what it refuses, and what it leaves behind."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from models.errors import SettingsError
from models.settings import Settings
from serve_app.app import assemble
from serve_app.up import check_gpus
from tests.platform.conftest import SETTINGS, until

COMMAND = (sys.executable, "-m", "cli", "up", "--aws-port", "0", "--json")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, "modelsRuntime": SETTINGS["modelsRuntime"][:1]}))
    return path


def refused(*args: str) -> str:
    done = subprocess.run(
        [*COMMAND, *args], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_port_in_use_is_named(config: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        assert f"port {port}" in refused("--config", str(config), "--port", port)


def test_a_wrong_configuration_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("stackName: a\nmodelsRuntime: []\ncheckpoints: .\n")

    assert "at least one runtime" in refused("--config", str(path), "--port", "0")


def test_a_wrong_type_or_option_of_a_runtime_is_named() -> None:
    def settings(**runtime: object) -> Settings:
        given = [{"name": "a", **runtime}]
        return Settings.read(args={"stackName": "a", "checkpoints": ".", "modelsRuntime": given})

    with pytest.raises(
        SettingsError, match=r"'nope' not found; there are: comfyui, diffusers, fake"
    ):
        assemble(settings(type="nope"))
    with pytest.raises(SettingsError, match=r"gpuMz"):
        assemble(settings(type="fake", options={"gpuMz": 1}))


def test_the_emulator_alone_prints_the_environment_of_its_users(config: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "--config", str(config), "--port", "0", "--aws-only"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if not line.startswith("#"))
        process.send_signal(signal.SIGTERM)

    assert line.startswith("export AWS_ENDPOINT_URL=http://127.0.0.1:")
    assert process.returncode == 0


def test_gpus_that_are_not_there_are_refused_with_the_remedy() -> None:
    settings = Settings.read(
        args={
            "stackName": "a",
            "checkpoints": ".",
            "modelsRuntime": [{"name": "a", "type": "fake"}],
        }
    )

    with pytest.raises(SettingsError, match=r"1 GPUs are wanted and 0 are here; gpus: 0"):
        check_gpus(settings, 0)
    check_gpus(settings, 1)


@pytest.fixture
def alive(config: Path) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [*COMMAND, "--config", str(config), "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


@pytest.mark.ray
def test_a_signal_stops_all_of_it(alive: "subprocess.Popen[str]") -> None:
    assert alive.stdout is not None
    assert '"url"' in alive.stdout.readline()
    started = psutil.Process(alive.pid).children(recursive=True)
    homes = set(Path("/tmp").glob("atelier-*"))

    alive.send_signal(signal.SIGINT)

    assert alive.wait(timeout=30) == 0
    until(lambda: not any(one.is_running() and _ours(one) for one in started), seconds=10)
    assert not any(_session(home) == alive.pid for home in homes)


def _ours(process: psutil.Process) -> bool:
    return process.status() != psutil.STATUS_ZOMBIE


def _session(home: Path) -> int:
    """The process whose Ray session lies in this folder, if any lies there."""
    names = [path.name for path in (home / "ray").glob("session_2*")] if home.exists() else []
    return int(names[0].rpartition("_")[2]) if names else 0
