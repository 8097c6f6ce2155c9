"""Noise of pictures: its seeds, as large and as mixed as the Web UI takes them."""

import pytest
import torch

from deployments.runtimes.diffusers.noise import Seeds, generator
from tests.runtimes.diffusers.conftest import Ask

SHAPE = (4, 6, 8)


def noise(seeds: Seeds) -> torch.Tensor:
    return seeds.first(SHAPE)[0]


def test_a_seed_draws_what_torch_draws_with_it() -> None:
    drawn = torch.randn((1, *SHAPE), generator=torch.Generator("cpu").manual_seed(7))

    assert torch.equal(noise(Seeds(7)), drawn)


def test_a_negative_seed_is_the_one_that_torch_takes_it_for() -> None:
    assert torch.equal(noise(Seeds(-2)), noise(Seeds(2**32 - 2)))


@pytest.mark.parametrize("seed", [2**32, 2**53, 2**63 - 1, -(2**63)])
def test_a_large_seed_has_noise_of_its_own(seed: int) -> None:
    assert not torch.equal(noise(Seeds(seed)), noise(Seeds(seed % 2**32)))
    assert torch.equal(noise(Seeds(seed)), noise(Seeds(seed)))


@pytest.mark.parametrize("sampler", ["Euler", "DPM++ SDE"])
async def test_seeds_of_any_size_paint_their_own_pictures(ask: Ask, sampler: str) -> None:
    seeds = (0, 2**32, 2**53, -3, 2**63 - 1)
    pictures = {(await ask(seed=seed, sampler_name=sampler)).pixels.tobytes() for seed in seeds}

    assert len(pictures) == len(seeds)


async def test_an_empty_seed_is_a_random_one(ask: Ask) -> None:
    empty, random = [(await ask(seed=seed)).artifacts[0].data for seed in ("", -1)]

    assert empty == random


def test_later_noise_goes_on_where_the_first_one_ends() -> None:
    _, later = Seeds(7).first(SHAPE)
    whole = torch.randn((2, *SHAPE), generator=generator(7))

    assert torch.equal(torch.randn(SHAPE, generator=later), whole[1])
