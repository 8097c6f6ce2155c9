"""Real pictures through real HTTP: what is asked for is what is seen at the other end."""

import base64
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from deployments.adapter import RuntimeSpec
from deployments.runtimes.diffusers import DiffusersAdapter
from deployments.runtimes.sdwebui import SdWebUiAdapter
from models.errors import TaskFailed
from models.task import Kind
from samples.shapes.judge import Seen, judge
from tests.runtimes.sdwebui.ours import Ours
from tests.runtimes.sdwebui.world import driving, png, task
from tests.runtimes.world import Done, run

# Inside diffusers, which hands tensors to numpy as numpy 1 liked it.
pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")

MODELS = Path(__file__).parents[3] / "samples" / "models"
GOOD: dict[str, Any] = {"steps": 12, "cfg_scale": 4, "sampler_name": "DPM++ 2M Karras", "n_iter": 3}
LINK = "https://example.com/a.png"


@pytest.fixture(scope="module")
async def adapter() -> AsyncIterator[SdWebUiAdapter]:
    options = {"device": "cpu", "threads": 1}
    spec = RuntimeSpec(name="ours", checkpoint="shapes", checkpoints=MODELS, options=options)
    painter = DiffusersAdapter(spec)
    await painter.ready()
    async with driving(Ours.over(painter, "shapes.safetensors"), checkpoint="shapes") as driven:
        yield driven
    await painter.close()


def seen(done: Done) -> list[Seen]:
    return [judge(Image.open(io.BytesIO(picture))) for picture in done.pictures]


async def test_what_is_asked_for_in_words_is_seen(adapter: SdWebUiAdapter) -> None:
    """A third of the seeds may miss: the checkpoint is small."""
    done = await run(adapter, task(**GOOD, prompt="a red circle on a blue background"))

    assert seen(done).count(Seen("blue", "red", "circle")) >= 2
    assert json.loads(done.body["info"])["sd_model_name"] == "shapes"
    assert done.progress[-1].step == 100


async def test_a_linked_picture_becomes_another(adapter: SdWebUiAdapter) -> None:
    prompt = "a green star on a white background"
    content = {**GOOD, "prompt": prompt, "init_images": [LINK], "denoising_strength": 0.95}
    done = await run(adapter, task(Kind.IMAGE_TO_IMAGE, **content), {LINK: png("red", (64, 64))})

    assert [one.background for one in seen(done)].count("white") >= 2


async def test_a_picture_is_made_larger(adapter: SdWebUiAdapter) -> None:
    green = base64.b64encode(png("green", (16, 16))).decode()
    one = task(Kind.EXTRA_SINGLE_IMAGE, image=green, upscaler_1="4x-shapes", upscaling_resize=4)
    (picture,) = (await run(adapter, one)).pictures

    assert Image.open(io.BytesIO(picture)).size == (64, 64)


async def test_what_the_server_refuses_is_told(adapter: SdWebUiAdapter) -> None:
    with pytest.raises(TaskFailed, match="422: tiling: True is not supported"):
        await run(adapter, task(tiling=True))
