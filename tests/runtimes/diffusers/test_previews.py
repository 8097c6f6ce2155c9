"""Previews of a picture while it is painted: in time, alike, and at no cost to the picture."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from deployments.adapter import Artifact, RuntimeSpec
from deployments.runtimes.diffusers import DiffusersAdapter
from deployments.runtimes.diffusers.checkpoint_pool import CheckpointPool
from deployments.runtimes.diffusers.encode import Condition
from deployments.runtimes.diffusers.noise import Seeds
from deployments.runtimes.diffusers.noise_levels import NoiseLevels
from deployments.runtimes.diffusers.samplers import sampler
from deployments.runtimes.diffusers.sampling import Guidance, Sampling, Timed
from models.report import Progress
from models.runtimes.diffusers import Options
from models.runtimes.diffusers.samplers import SAMPLERS
from models.task import Kind, Task
from tests.runtimes.diffusers.conftest import encoded, mask, noise, run, task

MODELS = Path(__file__).parents[3] / "samples" / "models"
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SEEN = ("Euler", "DPM++ 2M", "DPM++ SDE", "PLMS", "DEIS", "LCM", "TCD")
"""Samplers looked at half way."""
PROMPTS = (
    "a red circle on a blue background",
    "an orange heart on a white background",
    "a yellow star on a black background",
)
STEPS = 12


class Painted:
    """Pictures of one task, and the previews that came before."""

    def __init__(self, pool: CheckpointPool, one: Task) -> None:
        steps = list(pool.steps(one, {}))
        self.pictures = [step.data for step in steps if isinstance(step, Artifact)]
        told = [step for step in steps if isinstance(step, Progress)]
        self.previews = {
            step.step: Image.open(io.BytesIO(step.preview)) for step in told if step.preview
        }

    @property
    def preview(self) -> Image.Image:
        return next(iter(self.previews.values()))

    @property
    def picture(self) -> Image.Image:
        return Image.open(io.BytesIO(self.pictures[0]))


def opened(checkpoints: Path, checkpoint: str, **options: Any) -> CheckpointPool:
    spec = RuntimeSpec(name="sd", checkpoint=checkpoint, checkpoints=checkpoints)
    given = {"device": "cpu", "threads": 1, "previewEvery": 1} | options
    pool = CheckpointPool(spec, Options.read(given, under="options"))
    pool.load(None)
    return pool


@pytest.fixture
def pool(folder: Path) -> CheckpointPool:
    return opened(folder, "tiny")


@pytest.fixture(scope="module")
def shapes() -> CheckpointPool:
    return opened(MODELS, "shapes")


@pytest.mark.parametrize("name", ["Euler", "Euler a", "DPM++ SDE", "DPM++ 2M SDE", "LCM"])
def test_a_picture_is_the_same_to_the_byte_with_and_without_previews(
    folder: Path, name: str
) -> None:
    one = task(sampler_name=name, batch_size=2, n_iter=2, steps=4)
    torch.manual_seed(5)
    with_, without = [Painted(opened(folder, "tiny", previewEvery=n), one) for n in (1, 0)]

    assert with_.previews
    assert not without.previews
    assert with_.pictures == without.pictures


def test_no_seed_but_its_own_is_touched(pool: CheckpointPool) -> None:
    before = torch.get_rng_state()
    Painted(pool, task(sampler_name="Euler a"))

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("every", "content", "shown"),
    [
        (5, {"steps": 12}, [5, 10]),
        (5, {"steps": 10}, [5]),
        (1, {"steps": 3, "n_iter": 2}, [1, 2, 4, 5]),
        (2, {"steps": 6, "sampler_name": "Heun"}, [2, 4]),
        (2, {"steps": 6, "sampler_name": "PLMS"}, [2, 4]),
        (2, {"steps": 3, "enable_hr": True}, [2, 4]),
        (50, {"steps": 12}, []),
        (0, {"steps": 12}, []),
    ],
)
async def test_a_preview_comes_every_so_many_steps_and_not_with_the_last(
    folder: Path, every: int, content: dict[str, Any], shown: list[int]
) -> None:
    options = {"device": "cpu", "threads": 1, "previewEvery": every}
    adapter = DiffusersAdapter(
        RuntimeSpec(name="sd", checkpoint="tiny", checkpoints=folder, options=options)
    )
    await adapter.ready()
    told = (await run(adapter, task(**content))).progress
    await adapter.close()

    assert [step.step for step in told if step.preview] == shown
    assert [step.step for step in told] == sorted({step.step for step in told})


def test_an_enlargement_shows_none(pool: CheckpointPool) -> None:
    one = task(Kind.EXTRA_SINGLE_IMAGE, image=encoded(noise(40, 40)), upscaler_1="4x-Random")

    assert not Painted(pool, one).previews


@pytest.mark.parametrize(
    ("content", "size"),
    [
        ({"width": 48, "height": 24}, (48, 24)),
        ({"width": 128, "height": 32}, (64, 16)),
        ({"batch_size": 2}, (64, 32)),
        ({"batch_size": 3}, (64, 64)),
        ({"batch_size": 5, "width": 48, "height": 24}, (64, 32)),
    ],
)
def test_a_preview_is_small_and_keeps_its_proportions(
    folder: Path, content: dict[str, Any], size: tuple[int, int]
) -> None:
    preview = Painted(opened(folder, "tiny", previewSide=64), task(**content)).preview

    assert (preview.format, preview.size) == ("JPEG", size)


def test_sdxl_shows_too(folder: Path) -> None:
    assert Painted(opened(folder, "tiny-xl"), task()).preview.size == (32, 32)


@pytest.mark.parametrize("way", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("name", SAMPLERS)
def test_what_is_expected_is_what_the_network_sees(name: str, way: str) -> None:
    """An ideal network, which knows the picture, answers with its noise or its velocity."""
    sampling, picture = begun(name, way), torch.linspace(-1, 1, 256).reshape(1, 4, 8, 8)
    levels = NoiseLevels.of(BETAS)
    while not sampling.finished:
        sigma = levels.at(sampling.timestep)
        size = (sigma**2 + 1).sqrt()
        noise = (sampling.model_input() * size - picture) / sigma
        sampling.step(noise if way == "epsilon" else (noise - sigma * picture) / size)

        assert torch.allclose(sampling.predicted(), picture, atol=0.01)


def begun(name: str, way: str) -> Sampling:
    unasked = Timed.always(Condition(torch.zeros(1, 1, 1)))
    return Sampling(
        guidance=Guidance((unasked,), unasked, 1),
        sampler=sampler(name),
        schedule=BETAS | {"prediction_type": way},
        steps=6,
        seeds=Seeds(1),
        shape=(4, 8, 8),
        device=torch.device("cpu"),
    )


@pytest.mark.parametrize("name", SEEN)
def test_half_way_it_is_seen_which_picture_it_will_be(shapes: CheckpointPool, name: str) -> None:
    one, other = [Painted(shapes, shape(prompt, sampler_name=name)) for prompt in PROMPTS[:2]]
    half = one.previews[STEPS // 2]

    assert difference(half, one.picture) < difference(half, other.picture)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_from_half_way_on_the_colours_are_the_pictures_own(
    shapes: CheckpointPool, prompt: str
) -> None:
    painted = Painted(shapes, shape(prompt))
    shown = [painted.previews[step] for step in range(STEPS // 2, STEPS)]

    assert max(difference(preview, painted.picture) for preview in shown) < 35


def shape(prompt: str, **content: Any) -> Task:
    return task(prompt=prompt, steps=STEPS, cfg_scale=4, seed=3, **content)


def difference(one: Image.Image, other: Image.Image) -> float:
    """Compute the mean difference of colours, 0 to 255, at the size of latents."""
    small = [image.resize((16, 16), Image.Resampling.BOX) for image in (one, other)]
    return float(np.abs(np.subtract(*(np.asarray(image, np.int16) for image in small))).mean())


def test_a_preview_of_a_part_shows_it_in_its_whole(pool: CheckpointPool) -> None:
    whole = Image.new("RGB", (400, 200), "yellow")
    one = task(
        Kind.IMAGE_TO_IMAGE,
        init_images=[encoded(whole)],
        mask=encoded(mask(400, 200, (240, 60, 320, 120))),
        width=32,
        height=32,
        steps=8,
    )
    preview = Painted(pool, one).preview
    changed = np.abs(np.asarray(preview, np.int16) - (255, 255, 0)).max(axis=-1) > 40

    assert preview.size == (256, 128)
    assert changed[45:70, 160:200].any()
    assert not changed[:, :145].any()


def test_the_colours_are_learnt_once_for_a_checkpoint(pool: CheckpointPool) -> None:
    seen: list[object] = []
    pool.current.vae.encoder.register_forward_hook(lambda *_: seen.append(1))
    Painted(pool, task())
    first = len(seen)
    Painted(pool, task())

    assert 0 < len(seen) == first


def test_a_vae_that_gives_no_numbers_ends_the_previews_and_not_the_task(
    pool: CheckpointPool, caplog: pytest.LogCaptureFixture
) -> None:
    pool.current.vae.encoder.conv_out.bias.data.fill_(torch.nan)
    painted = [Painted(pool, task()) for _ in range(2)]

    assert [(len(one.pictures), one.previews) for one in painted] == [(1, {})] * 2
    assert caplog.messages == ["previews_off"]
