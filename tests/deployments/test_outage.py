"""Outages of the store, in hours of virtual time: what is drawn is drawn once."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping

import pytest
from typing_extensions import override

from deployments.adapter import Adapter, Answer, Artifact, RuntimeSpec, Step
from ingest.memory import MemoryObjects
from models.errors import Unavailable
from models.report import Status
from models.task import Kind, Task
from tests.deployments.test_replica import replica, report_of, task
from tests.ingest.protocol.virtual_loop import VirtualLoop

HOUR = 3_600.0


class Painter(Adapter):
    """Adapter that draws two pictures in no time, and counts its runs."""

    kinds = frozenset(Kind)
    slots = 1
    runs = 0

    @override
    async def ready(self) -> None: ...

    @override
    async def run(self, task: Task, inputs: Mapping[str, bytes]) -> AsyncGenerator[Step, None]:
        self.runs += 1
        for name in (b"one", b"two"):
            yield Artifact(data=name)
        yield Answer(body={})


class AwayUntil(MemoryObjects):
    """Store that takes no object until a time of the loop; ``broken``: names that break it."""

    def __init__(self, time: float, broken: str = "none") -> None:
        super().__init__()
        self.time = time
        self.broken = broken
        self.tries = 0

    @override
    async def put(self, uri: str, body: bytes, content_type: str) -> None:
        self.tries += 1
        if uri.endswith(self.broken):
            raise KeyError(uri)
        if asyncio.get_running_loop().time() < self.time:
            raise Unavailable("S3 is down")
        await super().put(uri, body, content_type)


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.close()


def test_what_is_drawn_is_kept_through_an_outage_of_an_hour(loop: VirtualLoop) -> None:
    adapter, objects = Painter(RuntimeSpec(name="r")), AwayUntil(HOUR)
    report = loop.run_until_complete(report_of(replica(adapter, objects=objects), task()))

    assert report.status is Status.COMPLETED
    assert {*report.artifacts, report.output} == objects.bodies.keys()
    assert adapter.runs == 1


def test_where_one_object_fails_the_others_are_not_tried_on(loop: VirtualLoop) -> None:
    objects = AwayUntil(HOUR, broken=".out")
    with pytest.raises(KeyError):
        loop.run_until_complete(
            report_of(replica(Painter(RuntimeSpec(name="r")), objects=objects), task())
        )
    tries = objects.tries
    loop.run_until_complete(asyncio.sleep(60))

    assert objects.tries == tries
