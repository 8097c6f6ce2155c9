"""`atelier aws logs`: log events of a part of the platform, from CloudWatch Logs."""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from atelier import Misused
from cli.aws.installation import Installation
from cli.aws.sdk import Aws, NotDeployed
from cli.times import parse_duration
from models.settings import Settings

_POLL_SECONDS = 2.0
_LATE = 30_000  # milliseconds until CloudWatch finds an event


class Component(StrEnum):
    """Part of the platform that writes logs."""

    EDGE = "edge"
    ACCESS = "access"
    PODS = "pods"
    CLUSTER = "cluster"


def logs(
    installation: Installation,
    component: Annotated[
        Component,
        typer.Argument(help="edge: the Lambda; access: API Gateway; pods: all on the cluster."),
    ] = Component.PODS,
    task: Annotated[str | None, typer.Option(help="Only what names this task.")] = None,
    since: Annotated[str, typer.Option(help="How far back, such as 15m or 2h.")] = "15m",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Show the logs of a part of the platform, oldest first."""
    group = group_of(installation, component)
    start = int(time.time() * 1_000) - milliseconds(since)
    # Streams bring their events late and in no common order: look back a while, print none twice.
    seen: set[str] = set()
    while True:
        for event in events_since(installation.aws, group, start, task):
            if event["eventId"] not in seen:
                seen.add(event["eventId"])
                _print_event(installation, event)
                start = max(start, event["timestamp"] - _LATE)
        if not follow:
            return
        time.sleep(_POLL_SECONDS)


def group_of(installation: Installation, component: Component) -> str:
    """Return the name of a part's log group.

    Raises:
        NotDeployed: there is no such log group.
    """
    name = _name(installation.settings, component)
    groups = installation.aws.paginated(
        "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name
    )
    if name not in {group["logGroupName"] for group in groups}:
        raise NotDeployed(f"there is no log group {name}; is that part deployed?")
    return name


def milliseconds(since: str) -> int:
    """Parse a duration such as ``90s``, ``15m``, ``2h``, ``1d``; return milliseconds.

    Raises:
        Misused: it is no such duration.
    """
    if (seconds := parse_duration(since)) is None:
        raise Misused(f"--since {since}: a number and s, m, h or d, such as 15m")
    return seconds * 1_000


def events_since(aws: Aws, group: str, start: int, task: str | None) -> Iterator[Any]:
    """Return events of all streams of the group since ``start``, ordered by time."""
    # In quotes, as CloudWatch demands of words with other characters than letters and digits.
    pattern = {"filterPattern": json.dumps(task)} if task else {}
    events = aws.paginated(
        "logs", "filter_log_events", "events", logGroupName=group, startTime=start, **pattern
    )
    yield from sorted(events, key=lambda event: event["timestamp"])


def _name(settings: Settings, component: Component) -> str:
    match component:
        case Component.EDGE:
            return f"/aws/lambda/{settings.names.stack}-edge"
        case Component.ACCESS:
            return f"/atelier/{settings.names.stack}/access"
        case Component.PODS:
            return f"/aws/containerinsights/{settings.stack_name}/application"
        case Component.CLUSTER:
            return f"/aws/eks/{settings.stack_name}/cluster"


def _print_event(installation: Installation, event: Mapping[str, Any]) -> None:
    if installation.as_json:
        fields = {"timestamp": event["timestamp"], "stream": event["logStreamName"]}
        installation.out.json({**fields, "message": event["message"].rstrip("\n")})
    else:
        when = datetime.fromtimestamp(event["timestamp"] / 1_000, UTC)
        installation.out.lines(f"{when:%Y-%m-%dT%H:%M:%SZ}  {event['message'].rstrip()}")
