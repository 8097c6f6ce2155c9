"""The repository's own Serve config file, by Ray's own commands, as README.md has them."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from models.loopback import free_port
from tests.platform.conftest import CONFIG, until
from tests.platform.own_ray import (
    done,
    emulator,
    folder,
    listening,
    ray_head,
    running,
    serve_file,
    shell,
    started_by,
)
from tests.platform.watching import LONG, assert_serves, state, submit

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]
KEY = "local"
PICTURE = {"prompt": "a red circle on a blue background", "steps": 100}
FAKE = {"name": "sdruntime", "type": "fake", "gpus": 0, "cpus": 0.5, "options": LONG}


@pytest.fixture
def home() -> Iterator[Path]:
    with folder() as home:
        yield home


def test_serve_run_takes_the_repositorys_file(home: Path) -> None:
    port, log = free_port(0, "HTTP"), home / "serve.log"
    with (
        emulator(CONFIG, home) as environment,
        running(["serve", "run", str(serve_file(home, port))], environment, log) as process,
    ):
        assert_serves(f"http://127.0.0.1:{port}", KEY, PICTURE)
        started = started_by(process)
        heard = listening(started)
        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=60) == 0
        _, left = psutil.wait_procs(started, timeout=10)
        assert heard <= {"127.0.0.1", "::1"}
        assert not left
        assert "Traceback" not in log.read_text()


def test_serve_deploy_takes_the_repositorys_file(home: Path) -> None:
    port, gpu_log = free_port(0, "HTTP"), home / "gpu.jsonl"
    url = f"http://127.0.0.1:{port}"
    slow = {**FAKE, "options": {**LONG, "gpuMs": 12_000, "log": str(gpu_log)}}
    with (
        emulator(CONFIG, home) as environment,
        ray_head(environment, home) as dashboard,
        httpx.Client(base_url=url, headers={"x-api-key": KEY}, timeout=60) as native,
    ):
        there = ["--address", dashboard]
        tasks = {"drainSeconds": 0}
        given = serve_file(home, port, modelsRuntime=[slow], tasks=tasks)
        done(["serve", "deploy", *there, str(given)], environment)
        assert_serves(url, KEY, {"seed": 1})

        submit(native, "while-deployed", runtime="sdruntime")
        until(lambda: state(native, "while-deployed")["status"] == "running")
        wider = {**slow, "scaling": {"minReplicas": 1, "maxReplicas": 2}}
        again = serve_file(home, port, modelsRuntime=[wider], tasks=tasks | {"maxAttempts": 2})
        done(["serve", "deploy", *there, str(again)], environment)
        until(lambda: state(native, "while-deployed")["status"] == "completed")

        draws = map(json.loads, gpu_log.read_text().splitlines())
        assert [draw["task"] for draw in draws if "task" in draw].count("while-deployed") == 1
        assert state(native, "while-deployed")["attempt"] == 1
        assert "maxAttempts: 2" in done(["serve", "config", *there], environment)
        with pytest.raises(AssertionError, match="Unauthorized"):
            done(["serve", "status", *there], shell(home))
