"""Wiring: makes ports of settings, over the embedded AWS."""

import json

import pytest

from ingest.aws.client import Clients
from ingest.aws.provision import provision
from ingest.wiring import wire
from models.errors import Unavailable
from models.report import Status
from models.task import Task
from serve_app.local.emulator import EmbeddedAws
from tests.contracts.ports import fresh_settings


@pytest.fixture(autouse=True)
def _environment(embedded_aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in embedded_aws.environment.items():
        monkeypatch.setenv(name, value)


async def test_the_ports_are_those_of_the_settings(embedded_clients: Clients) -> None:
    settings = fresh_settings()
    await provision(settings, embedded_clients)
    ports = wire(settings)
    task = Task(submission="s-1", id="id-1", runtime="painter", kind="text-to-image")
    uri = f"s3://{settings.names.output_bucket}/a"
    await ports.objects.put(uri, b"x", "text/plain")
    await ports.ledger.queue(task)
    await ports.tasks.publish("task", {"runtime": "painter"})
    await ports.results.publish("result", {})
    await ports.callbacks.publish("call", {})
    claim = await ports.claims.claim("key", "value")
    (call,) = await ports.calls.receive(1)
    (delivery,) = await ports.queue("painter").receive(1)
    found = await ports.ledger.find("id-1")
    await ports.close()

    assert json.loads(delivery.body)["Message"] == "task"
    assert call.body == "call"
    assert claim.new
    assert found is not None
    assert found.status is Status.QUEUED


async def test_what_was_not_provisioned_is_unavailable() -> None:
    ports = wire(fresh_settings())
    with pytest.raises(Unavailable, match="SNS Publish: NotFound"):
        await ports.results.publish("result", {})
    await ports.close()


def test_wiring_needs_no_event_loop() -> None:
    assert wire(fresh_settings()).queue("painter")
