"""The sample for SDXL draws under its sample configuration, here with tiny weights."""

import json
from pathlib import Path

from deployments.adapter import RuntimeSpec
from deployments.runtimes.diffusers import DiffusersAdapter
from models.settings import Settings
from models.task import Task
from tests.runtimes.diffusers import weights
from tests.runtimes.diffusers.conftest import run

SAMPLES = Path(__file__).parents[3] / "samples"
SMALL = {"width": 32, "height": 32, "steps": 2, "prompt": "a lighthouse"}


async def test_the_sample_draws_with_weights_where_the_configuration_has_them(
    tmp_path: Path,
) -> None:
    (runtime,) = Settings.read(SAMPLES / "config" / "sdxl.yaml").models_runtime
    assert runtime.model_filename
    weights.sdxl(tmp_path / "Stable-diffusion" / runtime.model_filename)
    given = json.loads((SAMPLES / "tasks" / "diffusers" / "sdxl.json").read_text())
    spec = RuntimeSpec(
        name=runtime.name,
        checkpoint=runtime.model_filename,
        dynamic=runtime.dynamic_model,
        checkpoints=tmp_path,
        options={**runtime.options, "device": "cpu", "threads": 1},
    )
    adapter = DiffusersAdapter(spec)
    await adapter.ready()
    task = Task(
        submission="s1",
        id="t1",
        runtime=given["runtime"],
        kind=given["kind"],
        content=given["content"] | SMALL,
    )
    done = await run(adapter, task)
    await adapter.close()

    assert done.image.size == (32, 32)
