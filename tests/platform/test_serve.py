"""The repository's own Serve config file, by Ray's own commands, as README.md has them."""

import json
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import httpx
import psutil
import pytest
import yaml

from models.loopback import free_port
from tests.platform.conftest import CONFIG, Watched, until
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
SLOW = {**LONG, "gpuMs": 60_000, "steps": 600}
BRIEF = {"pollSeconds": 2}
"""Rules of tasks by which a drain waits for no receive of 20 seconds, once for each ingest."""
FAKE = {"name": "sdruntime", "type": "fake", "gpus": 0, "cpus": 0.5, "options": LONG}


@pytest.fixture
def home() -> Iterator[Path]:
    with folder() as home:
        yield home


def test_serve_run_takes_the_repositorys_file(home: Path) -> None:
    port, log = free_port(0, "HTTP"), home / "serve.log"
    file = serve_file(home, port, tasks=BRIEF)
    with (
        emulator(CONFIG, home) as environment,
        running(["serve", "run", str(file)], environment, log) as process,
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


def test_serve_deploy_takes_the_repositorys_file_and_grows_ingest_while_tasks_run(
    home: Path,
) -> None:
    port, gpu_log = free_port(0, "HTTP"), home / "gpu.jsonl"
    url = f"http://127.0.0.1:{port}"
    slow = {**FAKE, "name": "slow", "cpus": 0.2, "options": {**SLOW, "log": str(gpu_log)}}
    config = home / "config.yaml"
    aws = yaml.safe_load(CONFIG.read_text()) | {"modelsRuntime": [FAKE, slow], "checkpoints": "."}
    config.write_text(yaml.safe_dump(aws))
    wider = {**slow, "scaling": {"minReplicas": 1, "maxReplicas": 2}}
    # Nothing but a call ends a run that was cancelled: the ledger is looked at each 100 s.
    tasks = {"drainSeconds": 0, "leaseSeconds": 300, **BRIEF}

    def deploy(*runtimes: Mapping[str, Any], ingests: int, **more: Any) -> None:
        given = {"modelsRuntime": [FAKE, *runtimes], "ingest": {"replicas": ingests}}
        file = serve_file(home, port, **given, tasks=tasks | more)
        done(["serve", "deploy", *there, str(file)], environment)

    with (
        emulator(config, home) as environment,
        ray_head(environment, home) as dashboard,
        httpx.Client(base_url=url, headers={"x-api-key": KEY}, timeout=60) as native,
        ExitStack() as stack,
    ):
        there = ["--address", dashboard]
        told = _told_of(environment, aws)
        deploy(slow, ingests=1)
        assert_serves(url, KEY, {"seed": 1})

        submit(native, "while-deployed")
        until(lambda: state(native, "while-deployed")["status"] == "running")
        asking = stack.enter_context(Asking(url))
        deploy(wider, ingests=3, maxAttempts=2)
        until(lambda: _ingests() == 1 + 3, 180)  # the one before drains
        step = until(lambda: _step(native, "while-deployed"))
        until(lambda: _step(native, "while-deployed") > step)
        assert _ingests() == 1 + 3
        until(lambda: state(native, "while-deployed")["status"] == "completed", 120)

        assert asking.answers
        assert set(asking.answers) == {httpx.codes.OK}
        assert [draw["task"] for draw in _draws(gpu_log)].count("while-deployed") == 1
        assert state(native, "while-deployed")["attempt"] == 1
        assert "maxAttempts: 2" in done(["serve", "config", *there], environment)

        submit(native, "when-fewer")
        until(lambda: _step(native, "when-fewer"))
        deploy(wider, ingests=1)
        until(lambda: _ingests() == 1 + 1)
        cancelled_at = time.time()
        assert native.delete("/v1/tasks/when-fewer").json()["status"] == "cancelled"
        draw = until(lambda: [one for one in _draws(gpu_log) if one["task"] == "when-fewer"])[0]
        until(lambda: _ingests() == 1, 180)  # Serve replaces them one after another

        assert draw["end"] < cancelled_at + 60
        for name in ("while-deployed", "when-fewer"):
            assert len(told.all_of(name, 1)) == 1
        with pytest.raises(AssertionError, match="Unauthorized"):
            done(["serve", "status", *there], shell(home))


class Asking(Thread):
    """Client that lists tasks again and again while the block runs, and keeps what it is answered.

    Each time by a connection of its own, as clients come that have not been here before.
    """

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.answers: list[int | str] = []
        """Status of each answer, or the class of what went wrong."""
        self._url = f"{url}/v1/tasks"
        self._is_over = Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self.join()

    def run(self) -> None:
        while not self._is_over.wait(0.1):
            try:
                answer = httpx.get(self._url, headers={"x-api-key": KEY}, timeout=60)
            except httpx.HTTPError as exc:
                self.answers.append(type(exc).__name__)
            else:
                self.answers.append(answer.status_code)


def _told_of(environment: Mapping[str, str], aws: Mapping[str, Any]) -> Watched:
    topic = f"arn:aws:sns:us-east-1:000000000000:{aws['stackName']}-results"
    address = {
        "aws_endpoint": environment["AWS_ENDPOINT_URL"],
        "output_bucket": "told",
        "results_topic": topic,
    }
    return Watched(address)


def _step(native: httpx.Client, name: str) -> int:
    """Return the step that a running task is at; 0 where none is told."""
    told = state(native, name).get("progress") or {}
    return int(told.get("step", 0))


def _ingests() -> int:
    """Count the processes of ingest's replicas."""
    return sum("ServeReplica:atelier:Ingest" in _title(one) for one in _children())


def _children() -> Sequence[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):  # it ended meanwhile
        return ""


def _draws(gpu_log: Path) -> list[dict[str, Any]]:
    """Read which tasks had the GPU, from when to when."""
    lines = gpu_log.read_text().splitlines() if gpu_log.exists() else []
    return [draw for draw in map(json.loads, lines) if "task" in draw]
