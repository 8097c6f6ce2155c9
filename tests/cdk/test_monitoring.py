"""Alarms: whom they notify, the metrics that they look at, and the log lines that are counted."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Match, Template
from aws_cdk.aws_apigateway import RestApi
from aws_cdk.aws_events import EventPattern, Rule
from aws_cdk.aws_logs import LogGroup

from cdk.messaging import Messaging
from cdk.metrics import ENDED, FAILED, FILTERS, RUNNING, STARTING, WANTED
from cdk.monitoring import Monitoring
from ingest.memory import MemoryFleetStore
from models.errors import TaskFailed
from models.fleet import Supply
from models.settings import Settings
from models.settings.groups import Tasks
from serve_app.logs import EVENTS, log_to
from tests.cdk.conftest import Synthesized
from tests.ingest.test_fleet import following
from tests.ingest.world import World, until

Alarms = dict[str, dict[str, Any]]
_OF_EC2 = {"source": ["aws.ec2"]}


@pytest.fixture(scope="module")
def alone(settings: Settings) -> Template:
    stack = Stack(App(), "Alone")
    api = RestApi(stack, "Api")
    api.root.add_method("GET")
    Monitoring(
        stack,
        "Monitoring",
        settings=settings,
        messaging=Messaging(stack, "Messaging", settings=settings),
        log=LogGroup(stack, "Log", log_group_name=settings.names.log_group),
        spot_warnings=Rule(stack, "Spot", event_pattern=EventPattern(source=["aws.ec2"])),
        api=api,
    )
    return Template.from_stack(stack)


@pytest.fixture(scope="module")
def alarms(alone: Template) -> Alarms:
    """Return alarms by their names, without the stack's prefix."""
    found = alone.find_resources("AWS::CloudWatch::Alarm").values()
    return {
        alarm["Properties"]["AlarmName"].removeprefix("studio-"): alarm["Properties"]
        for alarm in found
    }


@pytest.fixture
def events(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[Any]]]:
    """Return the log's events as CloudWatch has them: lines wrapped by the agent's Fluent Bit."""
    path = tmp_path / "events"
    caplog.set_level(logging.INFO, EVENTS)
    log_to(path)
    yield lambda: [_wrapped(line) for line in path.read_text().splitlines()]
    known = logging.getLogger(EVENTS)
    (handler,) = (each for each in known.handlers if each.name == str(path))
    known.removeHandler(handler)
    handler.close()


def test_each_runtime_and_each_last_stop_is_watched(alarms: Alarms) -> None:
    of_runtimes = {
        f"{runtime}-{what}"
        for runtime in ("sdruntime", "comfy")
        for what in ("oldest", "failed", "starved", "dead-letters")
    }
    others = {"results-callbacks-dead-letters", "unrouted", "undelivered", "spot-interruptions"}

    assert alarms.keys() == of_runtimes | others


def test_each_alarm_says_why_tells_somebody_and_knows_what_silence_means(alarms: Alarms) -> None:
    for name, alarm in alarms.items():
        assert len(alarm["AlarmDescription"].split()) > 6, name
        assert alarm["AlarmActions"] == alarm["OKActions"] != []
        assert alarm["TreatMissingData"] == "notBreaching"


def test_the_thresholds_are_the_settings(alarms: Alarms, settings: Settings) -> None:
    limits = settings.alarms

    assert alarms["comfy-oldest"]["Threshold"] == limits.oldest_seconds
    assert alarms["comfy-failed"]["Threshold"] == limits.failed_ratio
    assert alarms["comfy-starved"]["EvaluationPeriods"] == limits.starved_minutes
    assert alarms["spot-interruptions"]["Threshold"] == limits.interruptions - 1


def test_each_alarm_looks_at_what_aws_measures_under_this_name(
    alone: Template, alarms: Alarms
) -> None:
    """CloudWatch takes a name that nobody fills, and shows nothing, for ever."""
    (spot,) = alone.find_resources("AWS::Events::Rule", {"Properties": {"EventPattern": _OF_EC2}})
    visible = ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "Maximum")
    oldest = ("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", "Maximum")

    assert looked_at(alarms["comfy-oldest"]) == {"": oldest}
    assert looked_at(alarms["comfy-dead-letters"]) == {"": visible}
    assert looked_at(alarms["unrouted"]) == {"": visible}
    fleet = ("atelier/studio", "Runtime")
    assert looked_at(alarms["comfy-starved"]) == {
        "wanted": (fleet[0], WANTED, fleet[1], "Minimum"),
        "running": (fleet[0], RUNNING, fleet[1], "Maximum"),
        "waiting": visible,
        "held": ("AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", "Maximum"),
        "ended": ("AWS/SQS", "NumberOfMessagesDeleted", "QueueName", "Sum"),
    }
    assert looked_at(alarms["spot-interruptions"]) == {
        "": ("AWS/Events", "TriggeredRules", "RuleName", "Sum")
    }
    (part,) = alarms["spot-interruptions"]["Metrics"]
    assert part["MetricStat"]["Metric"]["Dimensions"][0]["Value"] == {"Ref": spot}


def test_an_alarm_is_about_too_much(alarms: Alarms) -> None:
    operators = {alarm["ComparisonOperator"] for alarm in alarms.values()}

    assert operators == {"GreaterThanThreshold"}


def test_people_are_told_by_a_topic_that_cloudwatch_can_publish_on(alone: Template) -> None:
    """CloudWatch could not with the key that AWS keeps for SNS."""
    (key,) = alone.find_resources("AWS::KMS::Key")
    (topic,) = alone.find_resources(
        "AWS::SNS::Topic", {"Properties": {"KmsMasterKeyId": {"Fn::GetAtt": [key, "Arn"]}}}
    )
    cloudwatch = {"Service": "cloudwatch.amazonaws.com"}

    def allows(actions: Any) -> Any:
        statement = {"Effect": "Allow", "Principal": cloudwatch, "Action": actions}
        return {"Statement": Match.array_with([Match.object_like(statement)])}

    alone.has_resource_properties(
        "AWS::KMS::Key", {"KeyPolicy": allows(["kms:Decrypt", "kms:GenerateDataKey"])}
    )
    alone.has_resource_properties(
        "AWS::SNS::TopicPolicy",
        {"Topics": [{"Ref": topic}], "PolicyDocument": allows("sns:Publish")},
    )
    alone.has_resource_properties(
        "AWS::SNS::Subscription",
        {"Protocol": "email", "Endpoint": "someone@example.com", "TopicArn": {"Ref": topic}},
    )


async def test_tasks_that_end_are_counted_by_their_lines_in_the_log(
    events: Callable[[], list[Any]],
) -> None:
    """Tasks of each kind of end: completed, failed, cancelled before they came."""
    world = World(Tasks())
    world.runtime.acts = [0.0, TaskFailed("no such sampler")]
    async with world.working():
        await world.publish(submission="s1", id="a")
        await world.notifications(1)
        await world.publish(submission="s2", id="b")
        await world.notifications(2)
        await world.cancel("c", "s3")
        await world.publish(submission="s3", id="c")
        await world.notifications(3)
        await until(lambda: world.queue.depth == 0)

    counted = {
        metric: [
            e["log_processed"]["task"] for e in events() if matches(FILTERS[metric].pattern, e)
        ]
        for metric in (ENDED, FAILED)
    }
    ends = [e["log_processed"] for e in events() if e["log_processed"]["message"] == "task_ended"]
    assert [end["status"] for end in ends] == ["completed", "failed", "cancelled"]
    assert {end["runtime"] for end in ends} == {"sdruntime"}
    assert counted == {ENDED: ["a", "b"], FAILED: ["b"]}


def test_the_counts_are_taken_from_the_clusters_log_for_each_runtime(alone: Template) -> None:
    (log,) = alone.find_resources("AWS::Logs::LogGroup")
    for metric, each in FILTERS.items():
        alone.has_resource_properties(
            "AWS::Logs::MetricFilter",
            {
                "LogGroupName": {"Ref": log},
                "FilterPattern": each.pattern,
                "MetricTransformations": [
                    {
                        "MetricName": metric,
                        "MetricNamespace": "atelier/studio",
                        "MetricValue": each.value,
                        "Dimensions": [{"Key": "Runtime", "Value": "$.log_processed.runtime"}],
                    }
                ],
            },
        )


def test_they_are_of_the_log_that_the_cluster_writes(
    whole: Synthesized, settings: Settings
) -> None:
    groups = whole.resources("AWS::Logs::LogGroup")
    filters = whole.resources("AWS::Logs::MetricFilter").values()
    read = {f["Properties"]["LogGroupName"]["Ref"] for f in filters}

    assert [groups[name]["Properties"]["LogGroupName"] for name in read] == [
        settings.names.log_group
    ]


def test_the_ratio_is_of_the_metrics_that_the_filters_make(alarms: Alarms) -> None:
    looked_at = {
        part["Id"]: part["MetricStat"]["Metric"]
        for part in alarms["comfy-failed"]["Metrics"]
        if "MetricStat" in part
    }

    assert looked_at.keys() == {"ended", "failed"}
    for each, metric in looked_at.items():
        assert metric == {
            "Namespace": "atelier/studio",
            "MetricName": each.capitalize(),
            "Dimensions": [{"Name": "Runtime", "Value": "comfy"}],
        }


@pytest.mark.parametrize(
    ("failed", "ended", "ratio"), [(9, 9, 0), (2, 10, 0.2), (10, 10, 1), (0, 50, 0)]
)
def test_a_ratio_of_few_tasks_says_nothing(
    alarms: Alarms, failed: int, ended: int, ratio: float
) -> None:
    assert computed(alarms["comfy-failed"], failed=failed, ended=ended) == ratio


@pytest.mark.parametrize(
    ("waiting", "held", "ended", "starved"),
    [(3, 0, 0, 1), (0, 1, 0, 1), (0, 0, 0, 0), (3, 4, 1, 0), (0, 1, None, 1)],
)
def test_a_runtime_starves_while_tasks_are_there_and_none_ends(
    alarms: Alarms, waiting: int, held: int, ended: int | None, starved: int
) -> None:
    alarm, fleet = alarms["comfy-starved"], {"wanted": 2, "running": 2}

    assert computed(alarm, waiting=waiting, held=held, ended=ended, **fleet) == starved


@pytest.mark.parametrize(
    ("wanted", "running", "starved"),
    [(0, 0, 0), (2, 2, 0), (0, 3, 0), (2, 1, 1), (1, 0, 1), (None, None, 0)],
)
def test_a_runtime_starves_while_it_has_fewer_replicas_than_wanted(
    alarms: Alarms, wanted: int | None, running: int | None, starved: int
) -> None:
    """Zero that runs is no lack where zero is wanted."""
    alarm, queue = alarms["comfy-starved"], {"waiting": 0, "held": 0, "ended": 0}

    assert computed(alarm, wanted=wanted, running=running, **queue) == starved


async def test_the_fleet_is_measured_by_its_lines_in_the_log(
    events: Callable[[], list[Any]],
) -> None:
    world, store = World(Tasks()), MemoryFleetStore()
    await store.write_supply("sdruntime", Supply(wanted=3, running=("a", "b"), starting=1))
    async with following(world, store):
        await until(lambda: bool(events()))

    (event, *_) = events()
    fields = event["log_processed"]
    counted = {
        metric: fields[FILTERS[metric].value.removeprefix("$.log_processed.")]
        for metric in (WANTED, RUNNING, STARTING)
        if matches(FILTERS[metric].pattern, event)
    }
    assert counted == {WANTED: 3, RUNNING: 2, STARTING: 1}
    assert fields["runtime"] == "sdruntime"


def test_the_dashboard_shows_every_queue_and_all_alarms(alone: Template, alarms: Alarms) -> None:
    (board,) = alone.find_resources("AWS::CloudWatch::Dashboard").values()
    parts = board["Properties"]["DashboardBody"]["Fn::Join"][1]
    shown = {p["Fn::GetAtt"][0] for p in parts if isinstance(p, dict) and "Fn::GetAtt" in p}
    body = json.loads("".join(p if isinstance(p, str) else "x" for p in parts))

    watched = {
        alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
        for alarm in alarms.values()
        if alarm.get("Namespace") == "AWS/SQS"
    }
    assert watched <= shown
    assert len(body["widgets"][0]["properties"]["alarms"]) == len(alarms)
    assert "HTTP" in {widget["properties"]["title"] for widget in body["widgets"]}


def looked_at(alarm: dict[str, Any]) -> dict[str, tuple[str, str, str, str]]:
    """Return namespace, name, dimension and statistic of each metric of an alarm, by its id."""
    parts = alarm.get("Metrics") or [{"MetricStat": {"Metric": alarm, **alarm}}]
    alone = len(parts) == 1
    stats = {"" if alone else p["Id"]: p["MetricStat"] for p in parts if "MetricStat" in p}
    return {
        name: (
            stat["Metric"]["Namespace"],
            stat["Metric"]["MetricName"],
            stat["Metric"]["Dimensions"][0]["Name"],
            stat.get("Stat") or stat["Statistic"],
        )
        for name, stat in stats.items()
    }


def computed(alarm: dict[str, Any], **values: float | None) -> float:
    """Compute CloudWatch's expression: it is Python's arithmetic, but for three functions."""
    (expression,) = (part["Expression"] for part in alarm["Metrics"] if "Expression" in part)
    functions = {
        "IF": lambda condition, yes, no: yes if condition else no,
        "FILL": lambda value, other: other if value is None else value,
    }
    spelt = (
        expression.replace(" AND ", " and ")
        .replace(" OR ", " or ")
        .replace("failed / ended", "failed / max(ended, 1)")
    )
    result: float = eval(spelt, functions | values)
    return result


_TERM = re.compile(r'\(?\$\.([\w.]+) (=|!=) "(\w+)"\)?')


def matches(pattern: str, event: Any) -> bool:
    """Match the part of CloudWatch Logs' patterns in use: comparisons of text, joined by ``&&``."""
    assert _TERM.sub("t", pattern) in {"{ t && t }", "{ t }"}
    return all(
        (_at(event, path) == text) == (operator == "=")
        for path, operator, text in _TERM.findall(pattern)
    )


def _at(event: Any, path: str) -> Any:
    for key in path.split("."):
        event = event.get(key) if isinstance(event, dict) else None
    return event


def _wrapped(line: str) -> dict[str, Any]:
    return {
        "stream": "stdout",
        "log": line,
        "log_processed": json.loads(line),
        "kubernetes": {"namespace_name": "atelier", "container_name": "ray-worker"},
    }
