"""Platform that all tests over a real Ray share: `atelier up`, as a person starts it."""

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from samples.local import LocalPlatform
from tests.platform.up_command import Started

SECONDS = 60.0

SETTINGS: Mapping[str, Any] = {
    "stackName": "tests",
    "checkpoints": "samples/models",
    "outputBucketName": "outputbucket",
    "APIGW": {"throttle": {"rateLimit": 1000, "burstLimit": 1000}},
    "modelsRuntime": [
        {
            "name": "sdruntime",
            "type": "fake",
            "modelFilename": "model_a.safetensors",
            "gpus": 0,
            "cpus": 0.2,
            "options": {"gpuMs": 20},
        },
        {"name": "dynruntime", "type": "fake", "gpus": 0, "cpus": 0.2},
        {
            "name": "comfy",
            "type": "fake",
            "gpus": 0,
            "cpus": 0.2,
            "options": {"gpuMs": 2000, "steps": 40, "previewEvery": 4},
        },
        {
            "name": "slow",
            "type": "fake",
            "gpus": 0,
            "cpus": 0.2,
            "options": {"gpuMs": 60_000, "steps": 600, "previewEvery": 5},
        },
        {
            "name": "zero",
            "type": "fake",
            "gpus": 0,
            "cpus": 0.2,
            "admit": 2,
            "options": {"gpuMs": 3_000},
            "scaling": {
                "minReplicas": 0,
                "maxReplicas": 2,
                "queueLength": 2,
                "cooldownSeconds": 1,
                "scaleDown": {"stabilizationWindowSeconds": 0},
            },
        },
    ],
    "ingress": {"replicas": 2},
    "inputs": {"allowHosts": ["127.0.0.1"]},
}


class Watched(LocalPlatform):
    """A platform whose notifications are kept by the id of their task."""

    told: dict[str, list[Mapping[str, Any]]]

    def wait(self, name: str, seconds: float = SECONDS) -> Mapping[str, Any]:
        """The notification of this task."""
        return self.all_of(name, 1, seconds)[0]

    def all_of(self, name: str, count: int, seconds: float = SECONDS) -> list[Mapping[str, Any]]:
        """Wait for ``count`` notifications of a task, and return all that there are."""
        until(lambda: len(self.read().get(name, [])) >= count, seconds)
        return self.told[name]

    def read(self) -> Mapping[str, list[Mapping[str, Any]]]:
        """Read what came newly, for a second at most; return all notifications by their tasks."""
        self.told = getattr(self, "told", {})
        for one in self.notifications():
            self.told.setdefault(one["id"], []).append(one)
        return self.told


@pytest.fixture(scope="package")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Platform of all tests that need no other; at the end a signal stops all of it."""
    config = tmp_path_factory.mktemp("platform") / "config.yaml"
    config.write_text(yaml.safe_dump(dict(SETTINGS)))
    with closing(Started(config, "--json")) as command:
        command.until('"url"')
        process = command.process
        yield Watched(json.loads(command.said[0]), pid=process.pid)
        process.send_signal(signal.SIGINT)

        assert (command.ended(), len(command.said)) == (0, 1)


def until(done: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Ask ``done`` until its answer is true, and return that."""
    end = time.monotonic() + seconds
    while not (got := done()):
        assert time.monotonic() < end, f"not within {seconds:g} s"
        time.sleep(0.1)
    return got


def message(name: str, *, runtime: str = "sdruntime", **content: Any) -> dict[str, Any]:
    metadata = {
        "id": name,
        "runtime": runtime,
        "tasktype": "text-to-image",
        "prefix": "renders",
        "context": {"order": 42},
    }
    return {"metadata": metadata, "content": {"prompt": "a tin robot", "seed": 1} | content}


CONFIG = Path(__file__).resolve().parents[2] / "config.yaml"
