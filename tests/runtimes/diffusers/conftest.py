"""A folder of random weights and an adapter over it, made once for all tests of this runtime."""

import base64
import io
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from deployments.adapter import Adapter, RuntimeSpec
from deployments.runtimes.diffusers import DiffusersAdapter
from deployments.runtimes.diffusers.encode import Condition, encode
from deployments.runtimes.diffusers.pipeline import Pipeline
from models.task import Kind, Task
from tests.runtimes import world
from tests.runtimes.diffusers import weights

torch.set_num_threads(1)

HERE = Path(__file__).parent


NOISES = (
    "ignore:__array_:DeprecationWarning",  # diffusers hands tensors to numpy as numpy 1 liked it
    "ignore:Should have t[ab][<>]=t[01]:UserWarning",  # torchsde, of the last digit of a float
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            for noise_ in NOISES:
                item.add_marker(pytest.mark.filterwarnings(noise_))


Pixels = NDArray[np.int16]


def conditions(
    pipeline: Pipeline, positive: str, negative: str, skip: int = 1
) -> tuple[Condition, Condition]:
    """Encode both prompts without a stop."""
    parts = encode(pipeline, [{positive: "prompt", negative: "negative_prompt"}], skip)
    while True:
        try:
            next(parts)
        except StopIteration as end:
            made: dict[str, Condition] = end.value[0]
            return made[positive], made[negative]


def same(one: Pixels, other: Pixels) -> bool:
    """Tell whether two pictures are the same but for a rounded digit."""
    return bool(np.abs(one - other).max() <= 1)


class Done(world.Done):
    """Results of one task, as pixels."""

    @property
    def images(self) -> list[Image.Image]:
        return [Image.open(io.BytesIO(picture)) for picture in self.pictures]

    @property
    def image(self) -> Image.Image:
        (image,) = self.images
        return image

    @property
    def pixels(self) -> Pixels:
        return np.stack([np.asarray(image, dtype=np.int16) for image in self.images])


Ask = Callable[..., Coroutine[Any, Any, Done]]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of weights, laid out as the model bucket."""
    root = tmp_path_factory.mktemp("weights")
    for name in ("Stable-diffusion", "Lora", "ESRGAN", "RealESRGAN"):
        (root / name).mkdir()
    weights.sd15(root / "Stable-diffusion" / "tiny")
    weights.sdxl(root / "Stable-diffusion" / "tiny-xl")
    weights.kohya_lora(root / "Lora" / "bold.safetensors")
    save_file(dict(weights.numbered(weights.rrdb())), root / "ESRGAN" / "4x-Random.safetensors")
    save_file(
        dict(weights.realesrgan(weights.rrdb())),
        root / "RealESRGAN" / "RealESRGAN_x4plus.safetensors",
    )
    torch.save(dict(weights.esrgan(weights.rrdb())), root / "ESRGAN" / "pickled.pth")
    return root


@pytest.fixture(scope="session")
async def adapter(folder: Path) -> AsyncIterator[DiffusersAdapter]:
    options = {"device": "cpu", "threads": 1, "keep": 2, "maxPictures": 4, "tile": 32}
    made = DiffusersAdapter(
        RuntimeSpec(name="sd", checkpoint="tiny", dynamic=True, checkpoints=folder, options=options)
    )
    await made.ready()
    yield made
    await made.close()


@pytest.fixture
def ask(adapter: DiffusersAdapter) -> Ask:
    async def asked(
        kind: str = Kind.TEXT_TO_IMAGE, inputs: Mapping[str, bytes] | None = None, **content: Any
    ) -> Done:
        return await run(adapter, task(kind, **content), inputs)

    return asked


def task(kind: str = Kind.TEXT_TO_IMAGE, **content: Any) -> Task:
    if kind in (Kind.TEXT_TO_IMAGE, Kind.IMAGE_TO_IMAGE):
        content = {"prompt": "a tram", "steps": 3, "seed": 7} | content
    return Task(submission="s1", id="t1", runtime="sd", kind=kind, content=content)


async def run(adapter: Adapter, one: Task, inputs: Mapping[str, bytes] | None = None) -> Done:
    return Done(**vars(await world.run(adapter, one, inputs)))


def encoded(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Make a picture that no step can give back by chance."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def mask(width: int, height: int, box: tuple[int, int, int, int]) -> Image.Image:
    image = Image.new("L", (width, height))
    image.paste(255, box)
    return image
