"""Settings of a runtime, and the checkpoint that a task gets."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployments.adapter import RuntimeSpec
from deployments.runtimes import adapter_class
from deployments.runtimes.diffusers import DiffusersAdapter
from models.errors import SettingsError, TaskFailed
from models.task import Kind, Task
from tests.runtimes.diffusers.conftest import run, task


def test_it_is_found_by_its_name() -> None:
    assert adapter_class("diffusers") is DiffusersAdapter
    assert Kind.PIPELINE not in DiffusersAdapter.kinds


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'diffusers', 'transformers', 'numpy', 'safetensors'}"
    code = f"import sys, deployments.runtimes.diffusers; print({heavy} & set(sys.modules))"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=_root()
    )

    assert told.stdout.strip() == "set()"


def _root() -> Path:
    return Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"colour": 1}, r"options.colour: unknown key; allowed: allowPickle, device"),
        ({"keep": 0}, r"options.keep: .*greater than or equal to 1"),
        ({"device": "tpu"}, r"options.device"),
    ],
)
def test_a_wrong_option_is_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        DiffusersAdapter(RuntimeSpec(name="sd", options=options))


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"options": {"device": "cuda"}}, "no GPU"),
        ({"checkpoints": None}, "no folder of checkpoints"),
    ],
)
async def test_what_cannot_be_made_ready_is_told(
    folder: Path, more: dict[str, Any], told: str
) -> None:
    made = DiffusersAdapter(RuntimeSpec(name="sd", **({"checkpoints": folder} | more)))
    with pytest.raises(SettingsError, match=told):
        await made.ready()

    await made.close()


async def test_a_folder_without_checkpoints_is_told(tmp_path: Path) -> None:
    made = DiffusersAdapter(RuntimeSpec(name="sd", checkpoints=tmp_path))
    with pytest.raises(TaskFailed, match="no checkpoint in Stable-diffusion"):
        await made.ready()

    await made.close()


async def test_a_task_gets_the_checkpoint_it_names_or_else_the_runtimes_own(
    adapter: DiffusersAdapter,
) -> None:
    other = await run(adapter, task(override_settings={"sd_model_checkpoint": "tiny-xl"}))
    own = await run(adapter, task())

    assert "Model: tiny-xl," in other.image.info["parameters"]
    assert "Model: tiny," in own.image.info["parameters"]


@pytest.mark.parametrize("name", ["missing", "../tiny", "/etc/passwd", "tiny/unet"])
async def test_an_unknown_checkpoint_is_told_with_those_that_there_are(
    adapter: DiffusersAdapter, name: str
) -> None:
    with pytest.raises(TaskFailed, match=r"no checkpoint .*; there is: tiny, tiny-xl"):
        await adapter.load(task(override_settings={"sd_model_checkpoint": name}))


async def test_a_runtime_of_one_checkpoint_refuses_another(folder: Path) -> None:
    made = DiffusersAdapter(RuntimeSpec(name="sd", checkpoint="tiny", checkpoints=folder))
    await made.ready()
    await made.load(task(override_settings={"sd_model_checkpoint": "tiny [abcdef12]"}))
    with pytest.raises(TaskFailed, match="runtime sd has 'tiny' only, not 'tiny-xl'"):
        await made.load(task(override_settings={"sd_model_checkpoint": "tiny-xl"}))

    await made.close()


async def test_the_first_checkpoint_there_is_serves_where_none_is_named(folder: Path) -> None:
    made = DiffusersAdapter(RuntimeSpec(name="sd", checkpoints=folder))
    await made.ready()

    assert "Model: tiny," in (await run(made, task())).image.info["parameters"]
    await made.close()


def test_links_of_bare_batch_images_count(folder: Path) -> None:
    link = "https://example.com/a.png"
    one = Task(
        submission="s",
        id="t",
        runtime="sd",
        kind=Kind.EXTRA_BATCH_IMAGES,
        content={"images": [link, "aGVsbG8="]},
    )

    assert list(DiffusersAdapter(RuntimeSpec(name="sd", checkpoints=folder)).links(one)) == [link]


async def test_a_kind_that_it_does_not_know_fails(adapter: DiffusersAdapter) -> None:
    with pytest.raises(TaskFailed, match="'pipeline' is not supported"):
        await run(adapter, task(Kind.PIPELINE))
