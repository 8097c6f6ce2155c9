"""Samplers by their names, each of which ends in a picture."""

import numpy as np
import pytest

from deployments.runtimes.diffusers.noise_levels import NoiseLevels
from deployments.runtimes.diffusers.samplers import sampler
from models.errors import TaskFailed
from models.runtimes.diffusers.samplers import SAMPLERS, SCHEDULES
from tests.runtimes.diffusers.conftest import Ask, encoded, noise


@pytest.mark.parametrize(
    ("name", "schedule", "found"),
    [
        ("Euler", "Automatic", ("Euler", "Automatic")),
        ("euler A", "automatic", ("Euler a", "Automatic")),
        ("DPM++ 2M", "Automatic", ("DPM++ 2M", "Karras")),
        ("DPM++ 2M Karras", "Automatic", ("DPM++ 2M", "Karras")),
        ("DPM++ 2M SDE Exponential", "Automatic", ("DPM++ 2M SDE", "Exponential")),
        ("DPM++ 2M", "sgm_uniform", ("DPM++ 2M", "SGM Uniform")),
        ("Euler", "karras", ("Euler", "Karras")),
        ("LMS Karras", "Automatic", ("LMS", "Karras")),
        ("Euler", "", ("Euler", "Automatic")),
    ],
)
def test_names_of_old_and_new(name: str, schedule: str, found: tuple[str, str]) -> None:
    one = sampler(name, schedule)

    assert (one.name, one.schedule) == found


def test_an_unknown_sampler_is_told_with_those_that_there_are() -> None:
    with pytest.raises(TaskFailed, match=r"no 'Magic'.*Euler a.*UniPC"):
        sampler("Magic")


def test_an_unknown_schedule_is_told_with_those_that_there_are() -> None:
    with pytest.raises(TaskFailed, match=r"no 'Magic'.*Karras.*SGM Uniform"):
        sampler("Euler", "Magic")


@pytest.mark.parametrize("name", SAMPLERS)
async def test_every_sampler_paints_and_paints_the_same_again(ask: Ask, name: str) -> None:
    first, second = [await ask(sampler_name=name, steps=4) for _ in range(2)]

    assert first.artifacts[0].data == second.artifacts[0].data
    assert first.pixels.std() > 1
    assert first.progress[-1].step == first.progress[-1].of == 4


@pytest.mark.parametrize("name", SAMPLERS)
async def test_every_sampler_takes_a_first_picture(ask: Ask, name: str) -> None:
    init = noise(32, 32)
    near, far = [
        (
            await ask(
                "image-to-image",
                sampler_name=name,
                init_images=[encoded(init)],
                denoising_strength=strength,
                steps=4,
            )
        ).pixels
        for strength in (0.2, 1.0)
    ]

    assert np.isfinite(near).all()
    assert (near != far).any()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_falls_from_noise_to_nothing(schedule: str) -> None:
    config = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    sigmas = sampler("Euler", schedule).sigmas(NoiseLevels.of(config), 6)

    assert len(sigmas) == 7
    assert sigmas[-1] == 0
    assert sigmas == sorted(set(sigmas), reverse=True)
