"""`atelier aws status` and `logs`, against the embedded AWS."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from models.settings import Settings
from serve_app.local.emulator import EmbeddedAws
from tests.cli.aws.conftest import Call
from tests.cli.aws.platform import client, file_of, unique, write


def _put(settings: Settings, queue: str, count: int = 1) -> None:
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    for _ in range(count):
        sqs.send_message(QueueUrl=url, MessageBody="a task")


def _log(group: str, *messages: str, milliseconds: int = 0) -> None:
    logs = client("logs")
    stream = unique()
    if group not in [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]]:
        logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(time.time() * 1_000) - milliseconds * 1_000
    events = [{"timestamp": now + n, "message": text} for n, text in enumerate(messages)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_waiting_tasks_are_counted_and_all_is_well(installation: Settings, atelier: Call) -> None:
    _put(installation, installation.names.queue("painter"), 3)
    result = atelier("status", "-n", installation.names.stack, "--json")
    said = json.loads(result.stdout)
    queues = {one["name"]: one for one in said["queues"]}

    assert result.exit_code == 0, result.output
    assert said["stack"]["status"] == "CREATE_COMPLETE"
    assert queues[installation.names.queue("painter")]["waiting"] == 3
    assert queues[installation.names.queue("plain")]["waiting"] == 0


def test_a_dead_letter_asks_for_somebody(installation: Settings, atelier: Call) -> None:
    _put(installation, installation.names.dead_letters("plain"))
    result = atelier("status", "-n", installation.names.stack)
    rows = {line.split()[0]: line.split()[1:] for line in result.output.splitlines() if line}

    assert result.exit_code == 1
    assert rows[installation.names.dead_letters("plain")][0] == "1"


def test_an_alarm_asks_for_somebody(installation: Settings, atelier: Call) -> None:
    client("cloudwatch").set_alarm_state(
        AlarmName=f"{installation.names.stack}-oldest", StateValue="ALARM", StateReason="1 h"
    )
    result = atelier("status", "-n", installation.names.stack, "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["alarms"] == [
        {"name": f"{installation.names.stack}-oldest", "state": "ALARM", "why": "1 h"}
    ]


def test_a_cluster_that_cannot_be_asked_is_told(installation: Settings, atelier: Call) -> None:
    result = atelier("status", "-n", installation.names.stack, "--json")

    assert "there is no cluster" in json.loads(result.stdout)["cluster"]


def test_without_a_stack_there_is_nothing_to_show(
    signed_in: EmbeddedAws, atelier: Call, tmp_path: Path
) -> None:
    name = unique()
    write(tmp_path / f"config.{name}.yaml", file_of(name))

    assert atelier("status", "-n", name).exit_code == 4


def test_without_a_file_it_is_said_who_writes_one(signed_in: EmbeddedAws, atelier: Call) -> None:
    result = atelier("status", "-n", "nobody")

    assert result.exit_code == 2
    assert "config.nobody.yaml: there is no such file" in result.output


def test_who_is_not_reachable_is_told(
    installation: Settings, atelier: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    result = atelier("status", "-n", installation.names.stack)

    assert result.exit_code == 5
    assert "AWS does not answer" in result.output


def test_logs_of_a_component_come_in_order(installation: Settings, atelier: Call) -> None:
    group = f"/aws/containerinsights/{installation.names.stack}/application"
    _log(group, "second", "third", milliseconds=10)
    _log(group, "first", milliseconds=60)
    _log(group, "long ago", milliseconds=3_600)
    result = atelier("logs", "-n", installation.names.stack, "pods")

    assert result.exit_code == 0, result.output
    assert [line.split("  ")[1] for line in result.output.splitlines()] == [
        "first",
        "second",
        "third",
    ]


def test_logs_are_shown_as_text(installation: Settings, atelier: Call) -> None:
    group = f"/aws/containerinsights/{installation.names.stack}/application"
    _log(group, "a prompt\x1b]0;owned\x07\r\nand \x9b31mmore")
    result = atelier("logs", "-n", installation.names.stack, "pods")

    assert "a prompt\\x1b]0;owned\\x07\\r\nand \\x9b31mmore\n" in result.output


def test_logs_of_one_task_are_picked_out(installation: Settings, atelier: Call) -> None:
    group = f"/aws/lambda/{installation.names.stack}-edge"
    _log(group, '{"task": "one", "n": 1}', '{"task": "two", "n": 2}')
    result = atelier("logs", "-n", installation.names.stack, "edge", "--task", "two", "--json")

    (said,) = map(json.loads, result.stdout.splitlines())
    assert json.loads(said["message"]) == {"task": "two", "n": 2}


def test_the_edge_of_another_installation_is_not_listened_to(
    installation: Settings, atelier: Call
) -> None:
    """The other one's name begins like this one's function."""
    _log(f"/aws/lambda/{installation.names.stack}-edge-edge", "theirs")
    result = atelier("logs", "-n", installation.names.stack, "edge")

    assert result.exit_code == 4
    assert "theirs" not in result.output


def test_following_tells_each_line_once(
    installation: Settings, atelier: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = f"/atelier/{installation.names.stack}/access"
    _log(group, "before")
    looks = 0

    def wait(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            _log(group, "meanwhile")
        if looks == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", wait)
    result = atelier("logs", "-n", installation.names.stack, "access", "--follow")

    assert result.exit_code == 130
    assert [line.split("  ")[1] for line in result.output.splitlines() if "  " in line] == [
        "before",
        "meanwhile",
    ]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("access",), 4, "there is no log group"),
        (("pods", "--since", "1 day"), 2, "such as 15m"),
    ],
)
def test_wrong_questions_are_answered(
    installation: Settings, atelier: Call, args: tuple[str, ...], code: int, said: str
) -> None:
    _log(f"/aws/containerinsights/{installation.names.stack}/application", "x")
    result: Any = atelier("logs", "-n", installation.names.stack, *args)

    assert result.exit_code == code
    assert said in result.output
