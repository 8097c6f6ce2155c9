"""Demo of the way over AWS, for one picture: API Gateway, Lambda, SNS, SQS, a replica, S3.

`make cloud-demo` runs it. The stack is the one that `cdk deploy` makes; here an emulator makes it.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from rich.console import Console

from atelier import AsyncClient
from models.native import StatusEvent, TaskView
from models.settings import Settings
from samples.cloud.deploy import HERE, Cloud, deployed
from samples.cloud.line import working
from samples.shapes.judge import judge

OUTPUT = Path("demo-output") / "cloud"
TASK_SECONDS = 120
SETTINGS: dict[str, Any] = {
    "stackName": "cloud-demo",
    "aws": {"account": "123456789012", "region": "eu-central-1"},
    "modelBucketArn": "arn:aws:s3:::cloud-demo-models",
    "storage": {"createModelBucket": True},
    "edge": {"architecture": HERE},
    "tasks": {"pollSeconds": 1, "drainSeconds": 5},
}
CONTENT = {
    "prompt": "a red circle on a blue background",
    "steps": 12,
    "cfg_scale": 4,
    "seed": 3,
}
SHOWS = ("red", "circle", "blue")

console = Console(highlight=False)


def main() -> int:
    began = time.monotonic()
    settings = Settings.read(Path("config.yaml"), SETTINGS)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        with _told("CDK synthesizes, CloudFormation makes the stack"):
            cloud = stack.enter_context(deployed(settings, Path(folder)))
        _say(f"{len(cloud.made)} resources at {cloud.aws.endpoint}")
        path = asyncio.run(_picture(settings, cloud))
    seen = judge(Image.open(path))
    right = (seen.colour, seen.shape, seen.background) == SHOWS
    _say(f"{path} shows {'what was asked for' if right else f'something else: {seen}'}")
    console.print(f"{time.monotonic() - began:.1f} s in all. Everything is stopped.")
    return 0 if right else 1


async def _picture(settings: Settings, cloud: Cloud) -> Path:
    """Send a task, wait for its end, and write its picture to this disk."""
    with ExitStack() as starting:
        starting.enter_context(_told("Ingest and a replica start, in the roles of their pods"))
        async with working(settings, cloud), AsyncClient(cloud.url, cloud.api_key) as client:
            starting.close()
            _say(f"POST v1alpha2 without a key: {await _posted(cloud, {})}")
            _say(f"with one: {await _posted(cloud, {'x-api-key': cloud.api_key})}")
            return await _drawn(client)


async def _posted(cloud: Cloud, headers: dict[str, str]) -> str:
    """Post a task in the reference system's dialect, and return API Gateway's answer."""
    metadata = {
        "id": "first",
        "runtime": "sdruntime",
        "tasktype": "text-to-image",
        "prefix": "demo",
    }
    body = {"task": {"metadata": metadata, "content": CONTENT}}
    async with httpx.AsyncClient(base_url=cloud.url, timeout=30) as client:
        response = await client.post("v1alpha2", json=body, headers=headers)
    return f"{response.status_code} {response.text}"


async def _drawn(client: AsyncClient) -> Path:
    """Wait for the posted task with the platform's own client, and return its picture."""
    async for event in client.events("first", timeout=TASK_SECONDS):
        match event:
            case StatusEvent():
                _say(f"{event.status}, attempt {event.attempt}")
            case TaskView(error=None):
                _say(f"{event.status} in {event.seconds['run']:.1f} s: {event.artifacts[0].uri}")
            case TaskView():
                sys.exit(f"{event.status}: {event.error}")
    [path] = await client.save("first", OUTPUT)
    return path


@contextmanager
def _told(what: str) -> Iterator[None]:
    began = time.monotonic()
    with console.status(f"{what} …"):
        yield
    _say(f"{what}: {time.monotonic() - began:.1f} s")


def _say(text: str) -> None:
    console.print(f"  {text}", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
