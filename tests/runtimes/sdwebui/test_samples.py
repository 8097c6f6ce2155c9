"""The samples of this runtime do what they are samples of."""

import json
from pathlib import Path

import pytest

from models.task import Task
from tests.runtimes.sdwebui.double import WebUi
from tests.runtimes.sdwebui.world import driving
from tests.runtimes.world import run

FOLDER = Path(__file__).parents[3] / "samples" / "tasks" / "sdwebui"
SAMPLES = sorted(path for path in FOLDER.glob("*.json") if path.suffixes == [".json"])


def task_in(path: Path) -> Task:
    given = json.loads(path.read_text())
    kind, content = given["kind"], given["content"]
    return Task(submission="s1", id="t1", runtime="web", kind=kind, content=content)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
async def test_a_sample_gives_pictures(path: Path) -> None:
    async with driving(WebUi(step_seconds=0.001)) as adapter:
        assert (await run(adapter, task_in(path))).pictures
