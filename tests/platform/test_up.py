"""`atelier up` as a process: what it refuses, and what it leaves behind."""

import json
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from models.errors import SettingsError
from models.settings import Settings
from serve_app.app import assemble
from serve_app.local.ray_cluster import check_gpus
from tests.platform.conftest import SETTINGS, until
from tests.platform.up_command import COMMAND, Started, lives
from tests.platform.watching import submit


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    small = {"modelsRuntime": SETTINGS["modelsRuntime"][:1], "ingress": {"replicas": 1}}
    path.write_text(yaml.safe_dump({**SETTINGS, **small}))
    return path


def refused(*args: str) -> str:
    done = subprocess.run(
        [*COMMAND, *args], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return next(line for line in done.stderr.splitlines() if line.startswith("atelier: "))


def test_a_port_in_use_is_named(config: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        assert f"port {port}" in refused("--config", str(config), "--port", port)


def test_one_port_for_two_is_refused_at_once(config: Path) -> None:
    told = refused("--config", str(config), "--port", "8123", "--aws-port", "8123")

    assert told == (
        "atelier: --port and --aws-port are both 8123: give two ports, or 0 for a free one"
    )


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


def alone(config: Path, *more: str) -> str:
    """The first line of the emulator without a Ray."""
    with subprocess.Popen(
        [*COMMAND, "--config", str(config), "--port", "0", "--aws-only", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if not line.startswith("#"))
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    return line


def test_the_emulator_alone_tells_its_environment_and_needs_no_port_of_http(config: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        environment = json.loads(alone(config, "--json", "--port", str(taken.getsockname()[1])))

    assert environment["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")


def test_what_is_in_the_emulator_is_kept_where_that_is_asked_for(
    config: Path, tmp_path: Path
) -> None:
    alone(config, "--json", "--keep", str(tmp_path / "kept"))

    assert (tmp_path / "kept" / "state" / "sqs.json").exists()


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
def start(config: Path) -> Iterator[Callable[..., Started]]:
    with ExitStack() as stack:

        def begin(*more: str) -> Started:
            started = Started(config, *more)
            stack.callback(started.close)
            return started

        yield begin


def test_ctrl_c_before_there_is_a_ray_ends_quietly(start: Callable[..., Started]) -> None:
    up = start()
    up.until("embedded AWS")
    up.process.send_signal(signal.SIGINT)

    assert up.ended() == 130
    assert up.said == ["checking the configuration …", "starting the embedded AWS …", "stopping …"]


def test_an_emulator_that_ends_by_itself_ends_all(start: Callable[..., Started]) -> None:
    up = start("--aws-only")
    up.until("export AWS_REGION")
    assert any(line.startswith("export AWS_ENDPOINT_URL=http://127.0.0.1:") for line in up.said)
    children = psutil.Process(up.process.pid).children(recursive=True)
    [emulator] = [one for one in children if "ministack" in " ".join(one.cmdline())]
    emulator.kill()

    assert up.ended() == 1
    assert up.said[-1].startswith("atelier: the embedded AWS has ended by itself")
    kept = Path(up.said[-1].partition("kept in ")[2])
    assert "aws.log" in kept.read_text()


def test_a_killed_command_takes_the_platform_with_it(start: Callable[..., Started]) -> None:
    up = start("--aws-only")
    up.until("export AWS_REGION")
    children = psutil.Process(up.process.pid).children(recursive=True)
    up.process.kill()

    assert len(children) > 1
    until(lambda: not any(map(lives, children)) and not list(up.folder.iterdir()), seconds=30)


def test_an_aws_that_is_not_there_is_said_in_a_line(
    start: Callable[..., Started], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    up = start()

    assert up.ended() == 1
    assert up.said[-1].startswith("atelier: SNS CreateTopic: EndpointConnectionError; its log is")
    assert "Traceback" in Path(up.said[-1].partition("kept in ")[2]).read_text()


@pytest.mark.ray
@pytest.mark.parametrize("stage", ["starting Ray", "deploying"])
def test_ctrl_c_at_any_stage_ends_quietly(start: Callable[..., Started], stage: str) -> None:
    up = start()
    up.until(stage)
    up.process.send_signal(signal.SIGINT)
    up.process.send_signal(signal.SIGINT)

    assert up.ended() == 130
    assert up.said[-1] == "stopping …"
    assert [line for line in up.said if not line.endswith(("…", "starting", "running"))] == []


@pytest.mark.ray
def test_a_ray_that_ends_by_itself_ends_all_and_what_was_accepted_is_kept(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    up = start("--keep", str(tmp_path / "kept"))
    up.until("Ctrl-C stops it")
    children = psutil.Process(up.process.pid).children(recursive=True)
    [raylet] = [one for one in children if one.name() == "raylet"]
    url = re.search(r"http://127\.0\.0\.1:\d+", next(line for line in up.said if "url" in line))
    assert url
    with httpx.Client(base_url=url[0], headers={"x-api-key": "local"}, timeout=30) as native:
        for number in range(10):
            submit(native, f"task-{number}", "sdruntime")
    raylet.kill()

    assert up.ended() == 1
    rows = (tmp_path / "kept" / "state" / "dynamodb.json").read_text()
    assert all(f"task-{number}" in rows for number in range(10))
    assert up.said[-1].startswith("atelier: Ray's raylet has ended by itself")
    assert "sdruntime: running" in up.said
