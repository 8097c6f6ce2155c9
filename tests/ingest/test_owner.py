"""Owners of tasks that came by SNS: operators, unless the settings believe its attribute."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from models.report import Report
from models.settings.groups import Tasks
from models.task import Task
from tests.ingest.world import World, message


async def ran(attributes: Mapping[str, str], *, trusts: bool, key: str | None = None) -> Report:
    """Work a message off; return what the ledger knows of it."""
    world = World(Tasks(leaseSeconds=3))
    world.worker.envelope = replace(world.worker.envelope, trusts_owner=trusts)
    if key is not None:
        sent = Task(id="a", submission="s1", runtime="sdruntime", kind="text-to-image")
        await world.ledger.queue(sent, key)
    await world.tasks.publish(json.dumps(message()), {"submission": "s1", **attributes})
    async with world.working():
        await world.notifications(1)
    report = await world.ledger.find("a", "s1")
    assert report is not None
    return report


@pytest.mark.parametrize("trusts", [False, True])
async def test_what_names_no_owner_belongs_to_operators(trusts: bool) -> None:
    assert (await ran({}, trusts=trusts)).key is None


async def test_the_attribute_names_the_owner_only_where_it_is_believed() -> None:
    assert (await ran({"owner": "ana"}, trusts=False)).key is None
    assert (await ran({"owner": "ana"}, trusts=True)).key == "ana"


@pytest.mark.parametrize("owner", ["", "a\nb", "x" * 129])
async def test_an_attribute_that_no_key_is_called_names_nobody(owner: str) -> None:
    assert (await ran({"owner": owner}, trusts=True)).key is None


async def test_what_came_by_http_stays_its_senders_whatever_a_message_says() -> None:
    assert (await ran({"owner": "eve"}, trusts=True, key="ana")).key == "ana"


async def test_a_body_names_no_owner() -> None:
    world = World(Tasks(leaseSeconds=3))
    world.worker.envelope = replace(world.worker.envelope, trusts_owner=True)
    await world.publish(owner="eve", key="eve")
    async with world.working():
        await world.notifications(1)
    report = await world.ledger.find("a", "s1")

    assert report is not None
    assert report.key is None
