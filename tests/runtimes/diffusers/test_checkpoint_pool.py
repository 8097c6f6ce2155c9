"""Checkpoints that stay in memory, and faults of the device and of tasks."""

from pathlib import Path
from typing import Any

import pytest
import torch

from deployments.adapter import Answer, Artifact, RuntimeSpec
from deployments.runtimes.diffusers import DiffusersAdapter
from deployments.runtimes.diffusers.checkpoint_pool import CheckpointPool
from models.errors import RuntimeUnavailable, TaskFailed
from models.report import Progress
from models.runtimes.diffusers import Options
from models.task import Kind, Task
from tests.runtimes.diffusers.conftest import encoded, noise, task


@pytest.fixture
def pool(folder: Path) -> CheckpointPool:
    spec = RuntimeSpec(name="sd", checkpoint="tiny", dynamic=True, checkpoints=folder)
    made = CheckpointPool(spec, Options(device="cpu", threads=1))
    made.load(None)
    return made


def test_a_checkpoint_makes_room_for_the_next(pool: CheckpointPool) -> None:
    first = pool.current
    pool.load("tiny-xl")
    second = pool.current
    pool.load(None)

    assert (first.name, second.name) == ("tiny", "tiny-xl")
    assert pool.current is not first


def test_checkpoints_stay_while_there_is_room(folder: Path) -> None:
    spec = RuntimeSpec(name="sd", dynamic=True, checkpoints=folder)
    pool = CheckpointPool(spec, Options(device="cpu", keep=2))
    pool.load("tiny")
    first = pool.current
    pool.load("tiny-xl")
    pool.load("tiny")

    assert pool.current is first


def test_a_second_pass_with_another_checkpoint_needs_room_for_both(pool: CheckpointPool) -> None:
    hr: dict[str, Any] = {"enable_hr": True, "hr_scale": 1, "hr_upscaler": "Lanczos"}

    assert list(pool.steps(task(**hr, hr_checkpoint_name="tiny"), {}))
    with pytest.raises(TaskFailed, match=r"hr_checkpoint_name: .*option keep to 2"):
        list(pool.steps(task(**hr, hr_checkpoint_name="tiny-xl"), {}))
    assert pool.name == "tiny"


def test_an_unknown_checkpoint_leaves_the_current_one(pool: CheckpointPool) -> None:
    before = pool.current
    with pytest.raises(TaskFailed):
        pool.load("missing")

    assert pool.current is before


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), False),
        (MemoryError(), False),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), True),
    ],
)
def test_a_fault_of_the_device_is_not_the_tasks(
    pool: CheckpointPool, fault: Exception, broken: bool
) -> None:
    def fail(*_: Any) -> None:
        raise fault

    pool.current.unet.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeUnavailable):
        list(pool.steps(task(), {}))

    assert pool.broken is broken


def test_a_picture_of_no_numbers_is_told(pool: CheckpointPool) -> None:
    pool.current.unet.conv_out.bias.data.fill_(torch.nan)

    with pytest.raises(TaskFailed, match="NaN"):
        list(pool.steps(task(), {}))


def test_an_embeddings_name_is_not_taken_for_a_word(pool: CheckpointPool, folder: Path) -> None:
    (folder / "embeddings").mkdir()
    (folder / "embeddings" / "easynegative.safetensors").touch()
    with pytest.raises(TaskFailed, match="embedding 'easynegative'"):
        list(pool.steps(task(negative_prompt="(easynegative:1.1), rain"), {}))

    (folder / "embeddings" / "easynegative.safetensors").unlink()
    (folder / "embeddings").rmdir()


@pytest.mark.parametrize("kind", ["extra-batch-images", "extra-batch-image"])
def test_both_spellings_of_a_batch_are_known(pool: CheckpointPool, kind: str) -> None:
    content = {"imageList": [{"data": encoded(noise(8, 8))}]}
    one = Task(submission="s", id="t", runtime="sd", kind=kind, content=content)

    *before, artifact, answer = pool.steps(one, {})

    assert {type(step) for step in before} == {Progress}
    assert isinstance(artifact, Artifact)
    assert isinstance(answer, Answer)


def test_a_word_that_is_no_kind_is_told(pool: CheckpointPool) -> None:
    with pytest.raises(TaskFailed, match="'dance' is not supported"):
        list(pool.steps(task("dance"), {}))


def test_all_kinds_that_the_adapter_claims_are_known(pool: CheckpointPool) -> None:

    for kind in DiffusersAdapter.kinds - {Kind.TEXT_TO_IMAGE}:
        with pytest.raises(TaskFailed, match=r"init_images|image"):
            list(pool.steps(task(kind), {}))
