"""Measure the memory of ingest under a burst: `python -m bench.burst`.

So many tasks lie in a runtime's queue of the embedded AWS before ingest begins. It runs in a
process of its own that has imported the platform with Ray, as its replica has, over a runtime that
takes each task for some milliseconds. Its memory is read from Linux: the most that was resident.
"""

import asyncio
import logging
import multiprocessing
import time
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from bench.report import OUT, Count, Duration, Out, report
from ingest.aws.client import Clients
from ingest.board import Board
from ingest.wiring import wire
from models.event import Update
from models.ports import Runner
from models.report import Report, Stage, Status
from models.settings import Settings
from models.task import Task
from models.wire import message_of
from samples.environment import environment_variables
from serve_app.assembly.workers import worker
from serve_app.local.emulator import EmbeddedAws, provision_sync

_RUNTIME = "painter"
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Setup:
    """Parameters of a measurement."""

    tasks: int
    prompt_bytes: int
    task_seconds: float
    longest_seconds: float


class Painter(Runner):
    """Runtime that takes each task for the same time, and stores nothing."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        yield Stage.RUNNING
        await asyncio.sleep(self.seconds)
        report = Report.of(task, Status.RUNNING, attempt)
        yield report.completed((), f"s3://outputs/{task.output_key}", {"run": self.seconds})


def settings() -> Settings:
    return Settings.read(
        args={
            "stackName": "burst",
            "checkpoints": ".",
            "outputBucketName": "burst-outputs",
            "tasks": {"pollSeconds": 1},
            "modelsRuntime": [{"name": _RUNTIME, "type": "fake", "scaling": {"maxReplicas": 4}}],
        }
    )


async def send(setup: Setup) -> None:
    """Put the tasks into the runtime's queue, as the tasks topic does."""
    configured = settings()
    clients = Clients(configured.aws.region)
    sqs = await clients.sqs()
    url = (await sqs.get_queue_url(QueueName=configured.names.queue(_RUNTIME)))["QueueUrl"]
    for first in range(0, setup.tasks, 10):
        numbers = range(first, min(first + 10, setup.tasks))
        entries: Any = [_entry(setup, n) for n in numbers]
        await sqs.send_message_batch(QueueUrl=url, Entries=entries)
    await clients.aclose()


def _entry(setup: Setup, n: int) -> dict[str, Any]:
    content = {"prompt": "x" * setup.prompt_bytes}
    task = Task(
        submission=f"s{n}", id=f"t{n}", runtime=_RUNTIME, kind="text-to-image", content=content
    )
    message = message_of(task)
    attributes = {
        name: {"DataType": "String", "StringValue": value}
        for name, value in message.attributes.items()
    }
    return {"Id": str(n), "MessageBody": message.text, "MessageAttributes": attributes}


async def work(setup: Setup) -> None:
    """Work the queue until it is killed."""
    configured = settings()
    ports = wire(configured)
    (runtime,) = configured.models_runtime
    await worker(configured, runtime, ports, Board(), Painter(setup.task_seconds)).work()


def ingest(setup: Setup) -> None:
    import serve_app.app  # noqa: F401, PLC0415 - the code that a replica of ingest has in memory

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    asyncio.run(work(setup))


def measure(setup: Setup) -> dict[str, float]:
    with EmbeddedAws() as aws, environment_variables(aws.environment):
        provision_sync(settings())
        asyncio.run(send(setup))
        process = multiprocessing.get_context("spawn").Process(target=ingest, args=(setup,))
        process.start()
        began = time.monotonic()
        try:
            left = asyncio.run(_worked(setup))
            took = time.monotonic() - began
            peak = _peak_mib(process.pid)
        finally:
            process.kill()
            process.join()
    return {
        "peak_mib": round(peak, 1),
        "tasks_begun": setup.tasks - left,
        "seconds": round(took, 1),
    }


async def _worked(setup: Setup) -> int:
    """Wait until no task waits in the queue, or the time is over; return how many do."""
    ports = wire(settings())
    queue = ports.queue(_RUNTIME)
    left = setup.tasks
    try:
        for _ in range(1 + int(setup.longest_seconds / _POLL_SECONDS)):
            left = await queue.backlog()
            if not left:
                break
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        await ports.close()
    return left


def _peak_mib(process: int | None) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main(
    *,
    tasks: Count = 10_000,
    prompt_bytes: Count = 2_000,
    task_seconds: Duration = 0.05,
    longest_seconds: Duration = 600,
    out: Out = OUT,
) -> None:
    """Measure the memory of ingest, with so many tasks in its queue."""
    setup = Setup(tasks, prompt_bytes, task_seconds, longest_seconds)
    figures = measure(setup)
    rows = [(name.replace("_", " "), figure) for name, figure in figures.items()]
    report(out / "burst.json", asdict(setup), figures, ("figure", ""), rows)


if __name__ == "__main__":
    typer.run(main)
