"""Ingest and replicas in one process, without Ray."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from deployments.replica import Replica
from ingest.aws.client import Clients
from ingest.board import Board
from ingest.loops import Loops
from ingest.wiring import Ports, wire
from models.event import Update
from models.ports import Runner
from models.settings import Settings
from models.task import Task
from samples.cloud.deploy import Cloud
from serve_app.assembly.workers import callback_sender, replica, worker


class Near(Runner):
    """Replica in this process."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica

    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        async with aclosing(self.replica.run(task, attempt)) as stream:
            async for said in stream:
                yield said


@asynccontextmanager
async def working(settings: Settings, cloud: Cloud) -> AsyncIterator[None]:
    """Run ingest with a replica of each runtime in this process, each in the role of its pod."""
    async with (
        _ports(settings, cloud, "runtimes") as outer,
        _ports(settings, cloud, "ingest") as ports,
    ):
        replicas = [
            await replica(settings, each, outer.objects) for each in settings.models_runtime
        ]
        board = Board()
        workers = {
            runtime.name: worker(settings, runtime, ports, board, Near(made))
            for runtime, made in zip(settings.models_runtime, replicas, strict=True)
        }
        loops = Loops({**workers, settings.names.callback_calls: callback_sender(settings, ports)})
        try:
            yield
        finally:
            # Ingest first: what it holds ends on the replicas, which have to be there for that.
            await loops.drain(settings.tasks.drain_seconds)
            for made in replicas:
                await made.close()


@asynccontextmanager
async def _ports(settings: Settings, cloud: Cloud, role: str) -> AsyncIterator[Ports]:
    """Make the ports of a role: their clients keep the credentials that the environment has now."""
    async with Clients(settings.aws.region) as clients:
        with cloud.acting_as(role):
            # Made while the environment has the role, from which each takes its credentials now.
            for make in (clients.s3, clients.sqs, clients.sns, clients.dynamodb):
                await make()
        yield wire(settings, clients)
