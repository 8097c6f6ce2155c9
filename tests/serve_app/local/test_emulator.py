"""Embedded AWS: it listens on loopback alone, and ends with its block or its parent."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from ingest.aws.client import Clients
from models.errors import SettingsError, Unavailable
from models.task import Task
from serve_app.local.emulator import EmbeddedAws, provision_sync
from tests.contracts.ports import aws_world, fresh_settings

ROOT = Path(__file__).parents[3]
PARENT = """
import time
from serve_app.local.emulator import EmbeddedAws
with EmbeddedAws(services=["sqs"]) as aws:
    print(aws.process, aws.port, flush=True)
    time.sleep(60)
"""


def test_it_listens_on_loopback_alone_and_leaves_nothing() -> None:
    with EmbeddedAws() as aws:
        assert aws.process is not None
        process = psutil.Process(aws.process)
        listening = [c.laddr for c in process.net_connections() if c.status == "LISTEN"]

        assert listening == [("127.0.0.1", aws.port)]
        assert aws.endpoint == f"http://127.0.0.1:{aws.port}"
    began = time.monotonic()
    aws.close()

    assert time.monotonic() - began < 1
    assert not process.is_running()
    assert not Path(f"/tmp/ministack-{aws.port}.pid").exists()
    assert not _answers(aws.port)


def test_one_that_was_not_started_can_be_closed() -> None:
    aws = EmbeddedAws()
    aws.close()

    assert aws.process is None


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        pid, port = parent.stdout.readline().split()
        parent.kill()

    assert _gone(int(pid), within=10)
    assert not _answers(int(port))


def test_a_port_in_use_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(SettingsError, match=f"port {port} .*in use"), EmbeddedAws(port=port):
            pass


def test_a_missing_installation_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="make setup"), EmbeddedAws(root=tmp_path):
        pass


def test_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text("#!/bin/sh\necho no module named ministack\nexit 1\n")
    python.chmod(0o755)

    with pytest.raises(Unavailable, match="ended: no module named"), EmbeddedAws(root=tmp_path):
        pass


def test_one_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text("#!/bin/sh\ntrap '' TERM\nsleep 60\nsleep 60\n")
    python.chmod(0o755)
    monkeypatch.setattr("serve_app.local.emulator._START_SECONDS", 0.2)
    monkeypatch.setattr("serve_app.local.emulator._STOP_SECONDS", 0.2)

    with pytest.raises(Unavailable, match="said nothing"), EmbeddedAws(root=tmp_path):
        pass


def test_what_is_to_be_kept_outlives_a_kill(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings, keep = fresh_settings(), tmp_path / "kept"
    picture = f"s3://{settings.names.output_bucket}/a/b.png"
    task = Task(submission="s1", id="a", runtime="painter", kind="text-to-image")

    async def fill() -> None:
        async with Clients("us-east-1") as clients:
            world = await aws_world("kept", clients, settings)
            await world.tasks.publish("a task", {"runtime": "painter"})
            await world.ledger.queue(task)
            await world.objects.put(picture, b"png", "image/png")

    async def found() -> None:
        async with Clients("us-east-1") as clients:
            world = await aws_world("kept", clients, settings)
            (delivery,) = await world.queue.receive(1)

            assert json.loads(delivery.body)["Message"] == "a task"
            assert await world.ledger.find("a", "s1") is not None
            assert await world.objects.get(picture) == b"png"

    with EmbeddedAws(keep=keep) as aws:
        for name, value in aws.environment.items():
            monkeypatch.setenv(name, value)
        asyncio.run(fill())
        _until(lambda: "a task" in _text(keep / "state" / "sqs.json"))
        with pytest.raises(SettingsError, match="another embedded AWS"), EmbeddedAws(keep=keep):
            pass
        assert aws.process is not None
        os.kill(aws.process, signal.SIGKILL)
    with EmbeddedAws(keep=keep) as aws:  # at another port
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
        asyncio.run(found())


_STARTER = """
import json, sys, time
from pathlib import Path
from serve_app.local.emulator import EmbeddedAws
with EmbeddedAws(keep=Path(sys.argv[1])) as aws:
    print(json.dumps(dict(aws.environment)), flush=True)
    if sys.argv[2] == "stays":
        time.sleep(600)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("ends", ["killed", "in order"])
def test_what_came_last_is_kept_though_requests_wait(tmp_path: Path, ends: str) -> None:
    """Messages sent at the very end, while somebody waits for others, as ingest always does."""
    keep = tmp_path / "kept"
    with subprocess.Popen(
        [sys.executable, "-c", _STARTER, str(keep), "stays" if ends == "killed" else "reads"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdin
        assert starter.stdout
        sqs = _sqs(json.loads(starter.stdout.readline()))
        busy, idle = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("busy", "idle"))
        waiting = threading.Thread(target=_receive, args=(sqs, idle), daemon=True)
        waiting.start()
        time.sleep(0.2)  # it waits at the emulator by now
        for number in range(20):
            sqs.send_message(QueueUrl=busy, MessageBody=f"message {number}")
        if ends == "killed":
            starter.kill()
        else:
            starter.stdin.write("\n")
            starter.stdin.flush()
    _until(lambda: "message 19" in _text(keep / "state" / "sqs.json"))

    with EmbeddedAws(keep=keep) as aws:
        again = _sqs(aws.environment)
        url = again.get_queue_url(QueueName="busy")["QueueUrl"]
        name = "ApproximateNumberOfMessages"
        kept = again.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]

    assert kept == "20"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SettingsError, match="--keep"), EmbeddedAws(keep=tmp_path / "file" / "x"):
        pass


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_the_settings_name_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = fresh_settings("111122223333")
    with EmbeddedAws(log=tmp_path / "aws.log", account="111122223333") as aws:
        for name, value in aws.environment.items():
            monkeypatch.setenv(name, value)
        provision_sync(settings)

        async def topics() -> list[str]:
            async with Clients("us-east-1") as clients:
                sns = await clients.sns()
                return [topic["TopicArn"] for topic in (await sns.list_topics())["Topics"]]

        assert settings.names.arn("sns", settings.names.tasks_topic) in asyncio.run(topics())
    assert (tmp_path / "aws.log").exists()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _gone(pid: int, within: float) -> bool:
    """Wait until a process has ended, be it a zombie; else kill it and return False."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    return False


def _sqs(environment: Mapping[str, str]) -> Any:
    return boto3.client(
        "sqs",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def _receive(sqs: Any, url: str) -> None:
    with suppress(Exception):  # the emulator ends meanwhile
        sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
