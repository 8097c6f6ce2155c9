"""The runtime without a GPU: exact time, pictures that can be told apart, ends on demand."""

import asyncio
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from deployments.adapter import Answer, Artifact, RuntimeSpec
from deployments.runtimes import adapter_class, runtime_types
from deployments.runtimes.fake import FakeAdapter
from models.errors import SettingsError, TaskFailed
from models.report import Progress
from models.task import Kind, Task


def adapter(**options: Any) -> FakeAdapter:
    spec = RuntimeSpec(name="faked", checkpoint="first.safetensors", options=options)
    return FakeAdapter(spec)


def task(content: Any, kind: str = Kind.TEXT_TO_IMAGE, id: str = "t1") -> Task:  # noqa: A002
    return Task(submission=f"s-{id}", id=id, runtime="faked", kind=kind, content=content)


async def run(
    adapter: FakeAdapter, task: Task, inputs: Mapping[str, bytes] | None = None
) -> list[Progress | Artifact | Answer]:
    async with aclosing(adapter.run(task, inputs or {})) as steps:
        return [step async for step in steps]


async def pictures(
    adapter: FakeAdapter, content: Any, kind: str = Kind.TEXT_TO_IMAGE
) -> list[bytes]:
    steps = await run(adapter, task(content, kind))
    return [step.data for step in steps if isinstance(step, Artifact)]


async def answer(adapter: FakeAdapter, task: Task) -> Any:
    last = (await run(adapter, task))[-1]
    assert isinstance(last, Answer)
    return last.body


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


async def test_the_same_seed_draws_the_same_picture_and_another_another() -> None:
    fake = adapter(gpuMs=0)
    seeds = [await pictures(fake, {"prompt": "a tram", "seed": seed}) for seed in (7, 7, 8)]
    other = await pictures(fake, {"prompt": "a bus", "seed": 7})

    assert seeds[0] == seeds[1]
    assert len({seeds[0][0], seeds[2][0], other[0]}) == 3


async def test_a_task_without_a_seed_draws_the_same_in_a_retry_and_another_when_sent_again() -> (
    None
):
    fake = adapter(gpuMs=0)
    drawn = [
        (await answer(fake, task({"seed": -1}, id=name)))["parameters"]["image_seed"]
        for name in ("t1", "t1", "t2")
    ]

    assert drawn[0] == drawn[1] != drawn[2]


async def test_a_batch_draws_each_picture_with_the_next_seed() -> None:
    fake = adapter(gpuMs=0, width=32, height=16)
    body = await answer(fake, task({"seed": 5, "batch_size": 2, "n_iter": 2}))
    drawn = [Image.open(io.BytesIO(artifact.data)) for artifact in body["images"]]

    assert [picture.size for picture in drawn] == [(32, 16)] * 4
    assert body["parameters"]["image_seed"] == "5,6,7,8"
    assert json.loads(body["info"])["all_seeds"] == [5, 6, 7, 8]
    assert body["images"][1].data == (await pictures(fake, {"seed": 6}))[0]


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (Kind.TEXT_TO_IMAGE, {"prompt", "id_task", "image_seed", "error_msg"}),
        (Kind.EXTRA_SINGLE_IMAGE, {"html_info", "id_task", "error_msg"}),
        (Kind.EXTRA_BATCH_IMAGES, {"html_info", "id_task", "error_msg"}),
    ],
)
async def test_the_answer_has_the_shape_of_the_web_ui(kind: Kind, keys: set[str]) -> None:
    body = await answer(adapter(gpuMs=0), task({"prompt": "a tram"}, kind))

    assert set(body) == {"images", "parameters", "info"}
    assert set(body["parameters"]) == keys
    assert body["parameters"]["id_task"] == "t1"


async def test_a_pipeline_answers_by_node() -> None:
    body = await answer(adapter(gpuMs=0, pictures=2), task({"3": {}}, Kind.PIPELINE))

    assert [type(one) for one in body["outputs"]["1"]["images"]] == [Artifact, Artifact]


async def test_a_batch_of_extras_gives_a_picture_for_each_input() -> None:
    content = {"imageList": [{"data": "AA=="}, {"data": "AA=="}, {"data": "AA=="}]}

    assert len(await pictures(adapter(gpuMs=0), content, Kind.EXTRA_BATCH_IMAGES)) == 3


async def test_the_gpu_is_held_for_the_time_that_was_set_and_the_log_says_so(
    tmp_path: Path,
) -> None:
    log = tmp_path / "gpu.jsonl"
    fake = adapter(gpuMs=120, steps=3, log=log, loadMs=30)
    await fake.load(task({}))
    start = time.monotonic()
    steps = await run(fake, task({}))
    took = time.monotonic() - start
    load, held = lines(log)

    assert [step for step in steps if isinstance(step, Progress)] == [
        Progress(step=step, of=3) for step in (1, 2, 3)
    ]
    assert 0.12 <= took < 0.5
    assert load["load"] == "first.safetensors"
    assert load["end"] - load["start"] >= 0.029
    assert held["task"] == "t1"
    assert 0.119 <= held["end"] - held["start"] < 0.3


@pytest.mark.parametrize(("every", "shown"), [(0, []), (2, [2, 4]), (3, [3]), (9, [])])
async def test_a_preview_is_the_first_picture_made_small(every: int, shown: list[int]) -> None:
    fake = adapter(gpuMs=0, steps=6, previewEvery=every, width=512, height=512)
    steps = await run(fake, task({"prompt": "a tram", "seed": 7, "batch_size": 2}))
    previews = {s.step: s.preview for s in steps if isinstance(s, Progress) and s.preview}
    first, _ = [step.data for step in steps if isinstance(step, Artifact)]
    small = Image.open(io.BytesIO(first)).resize((32, 32), Image.Resampling.NEAREST)

    assert list(previews) == shown
    assert {Image.open(io.BytesIO(one)).tobytes() for one in previews.values()} <= {small.tobytes()}


async def test_cancelled_work_frees_the_gpu_at_once_and_is_logged(tmp_path: Path) -> None:
    log = tmp_path / "gpu.jsonl"
    fake = adapter(gpuMs=60_000, log=log)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await run(fake, task({}))

    assert lines(log)[0]["end"] - lines(log)[0]["start"] < 5


async def test_a_task_ends_its_process_only_where_that_is_set() -> None:
    with pytest.raises(TaskFailed, match="mayCrash"):
        await run(adapter(gpuMs=0), task({"crash": True}))


def test_a_task_that_may_crash_its_replica_has_had_the_gpu(tmp_path: Path) -> None:
    log = tmp_path / "gpu.jsonl"
    program = (
        "import asyncio\n"
        "from tests.runtimes.test_fake import adapter, run, task\n"
        f"fake = adapter(gpuMs=20, mayCrash=True, log={str(log)!r})\n"
        "asyncio.run(run(fake, task({'crash': True})))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)

    assert ended.returncode == -signal.SIGKILL
    assert [line["task"] for line in lines(log)] == ["t1"]


async def test_pictures_can_be_made_large_and_stay_pictures() -> None:
    (png,) = await pictures(adapter(gpuMs=0, payloadBytes=300_000), {})
    picture = Image.open(io.BytesIO(png))
    picture.load()

    assert 300_000 <= len(png) < 301_000
    assert picture.size == (64, 64)


async def test_a_checkpoint_is_loaded_once_and_switched_on_demand(tmp_path: Path) -> None:
    log = tmp_path / "gpu.jsonl"
    fake = adapter(log=log, checkpoints=["first.safetensors", "second.safetensors"])
    asked = [
        {},
        {"checkpoint": "first.safetensors"},
        {"override_settings": {"sd_model_checkpoint": "second.safetensors"}},
        {"alwayson_scripts": {"sd_model_checkpoint": "second.safetensors"}},
        {"alwayson_scripts": {"override_settings": {"sd_model_checkpoint": "first.safetensors"}}},
    ]
    for content in asked:
        await fake.load(task(content))

    assert [line["load"] for line in lines(log)] == [
        "first.safetensors",
        "second.safetensors",
        "first.safetensors",
    ]


async def test_a_missing_checkpoint_is_told_with_those_that_there_are() -> None:
    fake = adapter(checkpoints=["first.safetensors", "second.safetensors"])

    with pytest.raises(TaskFailed, match=r"'third'.*first\.safetensors, second\.safetensors"):
        await fake.load(task({"checkpoint": "third"}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a tram", "must be an object, not a str"),
        ({"fail": "out of paint"}, "out of paint"),
        ({"batch_size": 0}, "batch_size: .*greater than or equal to 1"),
        ({"n_iter": "two"}, "n_iter: .*whole number"),
        ({"n_iter": 1000}, "1000 pictures are more than 100"),
        ({"init_images": ["https://example.com/a.png"]}, "1 of the task's links have no input"),
    ],
)
async def test_what_it_cannot_do_is_a_failure_of_the_task(content: Any, message: str) -> None:
    with pytest.raises(TaskFailed, match=message):
        await run(adapter(gpuMs=0), task(content))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gpuMS": 3}, r"options\.gpuMS: unknown key; did you mean .gpuMs.\? allowed: ch"),
        ({"steps": 0}, r"options\.steps: .*greater than or equal to 1"),
        ({"pictures": "many"}, r"options\.pictures: .*whole number"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        adapter(**options)


def test_a_type_is_found_by_its_name() -> None:
    assert adapter_class("fake") is FakeAdapter


def test_an_unknown_type_is_told_with_those_that_there_are() -> None:
    with pytest.raises(
        SettingsError, match=f"'faked' not found; there are: .*{runtime_types()[-1]}"
    ):
        adapter_class("faked")
