"""Fixtures that run the tests of the ports' contract over every implementation."""

import time
from uuid import uuid4

import pytest

from ingest.aws.client import Clients
from models.ledger import Ledger
from models.task import Task
from tests.clock import Clock
from tests.contracts.ports import World, aws_world, fresh_settings, memory_world


@pytest.fixture(params=["memory", "embedded", "moto"])
def world(request: pytest.FixtureRequest, raw: bool) -> World:
    """World over resources that no other test uses."""
    found: World = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def raw() -> bool:
    """Flag: the topic delivers without SNS's envelope; a test may override it."""
    return False


@pytest.fixture
def memory(raw: bool) -> World:
    return memory_world(raw=raw)


@pytest.fixture
async def embedded(embedded_clients: Clients, raw: bool) -> World:
    return await aws_world("embedded", embedded_clients, fresh_settings(), raw=raw)


@pytest.fixture
async def moto(moto_clients: Clients, raw: bool) -> World:
    return await aws_world("moto", moto_clients, fresh_settings("123456789012"), raw=raw)


@pytest.fixture(params=["memory", "embedded", "moto"], scope="session")
def kept(request: pytest.FixtureRequest) -> World:
    """World over a bucket and a table that tests share: each has a folder and an id of its own."""
    found: World = request.getfixturevalue(f"kept_{request.param}")
    return found


@pytest.fixture(scope="session")
def kept_memory() -> World:
    return memory_world()


@pytest.fixture(scope="session")
async def kept_embedded(embedded_clients: Clients) -> World:
    return await aws_world("embedded", embedded_clients, fresh_settings())


@pytest.fixture(scope="session")
async def kept_moto(moto_clients: Clients) -> World:
    return await aws_world("moto", moto_clients, fresh_settings("123456789012"))


@pytest.fixture
def folder(kept: World) -> str:
    return f"s3://{kept.settings.names.output_bucket}/{uuid4()}"


@pytest.fixture
def clock() -> Clock:
    """Clock that begins now: what has expired by the real time may be removed."""
    return Clock(time.time())


@pytest.fixture
def ledger(kept: World, clock: Clock) -> Ledger:
    """Ledger in a shared table, in the time of the test's own clock."""
    return kept.ledger_at(clock)


@pytest.fixture
def task() -> Task:
    """Task of which no other test knows, nor of its runtime."""
    return Task(submission="s-1", id=str(uuid4()), runtime=uuid4().hex, kind="text-to-image")
