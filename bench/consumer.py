"""System that `bench.compare` measures: our ingest and one replica in one process, without Ray.

Told by the environment where everything is, as the harness of that comparison tells it.
"""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

from deployments.adapter import RuntimeSpec
from deployments.inputs.fetch import Inputs
from deployments.replica import Replica
from deployments.runtimes import adapter_class
from ingest.aws.client import Clients
from ingest.aws.dynamodb import DynamoLedger
from ingest.aws.s3 import S3Objects
from ingest.aws.sns import SnsTopic
from ingest.aws.sqs import SqsQueue
from ingest.board import Board
from ingest.envelope import Envelope
from ingest.loops import Loops
from ingest.notify import Notifier
from ingest.worker import Worker
from models.event import Update
from models.ports import Runner
from models.settings.groups import Inputs as InputSettings, Runtime, Tasks
from models.task import Task

_DRAIN_SECONDS = 10


class InProcess(Runner):
    """The one replica, called without a handle."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica

    def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        return self.replica.run(task, attempt)


async def main() -> None:
    where = os.environ
    clients = Clients(where["AWS_DEFAULT_REGION"])
    objects, output = S3Objects(clients), f"s3://{where['S3_BUCKET']}"
    # With or without a scheme; without any, `urlsplit` would take the host for a path.
    server = urlsplit(f"http://{where['API_BASE_URL'].removeprefix('http://')}")
    runtime = Runtime(
        name=where["RUNTIME_NAME"],
        type=where["RUNTIME_TYPE"],
        options={"backend": {"url": f"http://{server.netloc}"}},
    )
    spec = RuntimeSpec(name=runtime.name, options=runtime.options)
    adapter = adapter_class(runtime.type)(spec)
    await adapter.ready()
    inputs = InputSettings(allowHosts=(server.netloc,))
    replica = Replica(
        adapter=adapter,
        inputs=Inputs(inputs, objects, frozenset({where["S3_BUCKET"]})),
        objects=objects,
        output=output,
        deadline=Tasks().deadline_seconds,
    )
    results = SnsTopic(clients, where["SNS_TOPIC_ARN"])
    name = where["SQS_QUEUE_URL"].rpartition("/")[2]
    worker = Worker(
        queue=SqsQueue(clients, name=name, dead_letters="dlq"),
        capacity=runtime.capacity,
        envelope=Envelope(runtime.name, objects, f"{output}/payloads/", 2**20),
        ledger=DynamoLedger(clients=clients, table=where["LEDGER_TABLE"], days=1),
        objects=objects,
        notifier=Notifier(results=results, callbacks=results, objects=objects, output=output),
        board=Board(),
        runner=InProcess(replica),
        kinds=frozenset(adapter.kinds),
        output=output,
        rules=Tasks(),
    )
    await _work(Loops({runtime.name: worker}))
    await replica.close()
    await clients.aclose()


async def _work(loops: Loops) -> None:
    """Run the loops until a signal asks for the end, then let running tasks end."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    while not stop.is_set():
        loops.check_health()
        await asyncio.wait([asyncio.create_task(stop.wait())], timeout=1)
    await loops.drain(_DRAIN_SECONDS)


if __name__ == "__main__":
    asyncio.run(main())
