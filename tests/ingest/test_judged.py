"""Judging: ingest judges what came by SNS before any replica is asked, and notifies of faults."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from models.runtimes import TYPES
from models.runtimes.content import in_one_line
from models.settings.groups import Tasks
from models.task import Kind
from tests.ingest.world import World, message
from tests.models.runtimes.corpus import RIGHT, WRONG, options


def world(name: str) -> World:
    """World whose worker judges as a runtime of this type."""
    made = World(Tasks(leaseSeconds=3))
    type_ = TYPES[name]

    def judge(kind: str, content: Any) -> Any:
        return type_.faults(kind, content, options(name))

    made.worker = replace(made.worker, judge=judge, kinds=type_.kinds)
    return made


async def sent(made: World, kind: Kind, content: Any) -> Mapping[str, Any]:
    """Publish a task on the topic; return its notification."""
    body = message(tasktype=kind) | {"content": content}
    async with made.working():
        await made.tasks.publish(json.dumps(body), {"submission": "s1"})
        [notified] = await made.notifications(1)
    return notified


@pytest.mark.parametrize(("name", "kind", "content", "wrong"), WRONG)
async def test_a_wrong_content_fails_and_asks_no_replica(
    name: str, kind: Kind, content: Any, wrong: Mapping[str, str]
) -> None:
    made = world(name)
    notified = await sent(made, kind, content)
    [output] = [body for uri, body in made.objects.bodies.items() if uri.endswith(".out")]
    report = await made.ledger.find("a", "s1")

    assert (notified["status"], notified["result"]) == ("failed", False)
    assert made.runtime.runs == 0
    assert report is not None
    assert report.failure is not None
    assert report.failure.kind == "TaskFailed"
    assert report.failure.message == in_one_line(TYPES[name].faults(kind, content, options(name)))
    assert all(field in report.failure.message for field in wrong)
    assert report.failure.message in json.loads(output)["parameters"]["error_msg"]


@pytest.mark.parametrize(("name", "kind", "content"), RIGHT)
async def test_a_right_content_goes_to_a_replica(name: str, kind: Kind, content: Any) -> None:
    made = world(name)
    notified = await sent(made, kind, content)

    assert notified["status"] == "completed"
    assert [task.content for task in made.runtime.started] == [content]
