"""Second pass of ``enable_hr``: what it has of its own, and what it cannot have."""

from typing import Any

import pytest

from deployments.runtimes.diffusers import DiffusersAdapter
from models.errors import TaskFailed
from tests.runtimes.diffusers.conftest import Ask, same, task

HR: dict[str, Any] = {"enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.7, "steps": 4}


@pytest.mark.parametrize(
    ("own", "repeated"),
    [
        ({"hr_prompt": "a green star"}, {"hr_prompt": "a tram"}),
        ({"hr_negative_prompt": "rain"}, {"hr_negative_prompt": ""}),
        ({"hr_sampler_name": "Heun"}, {"hr_sampler_name": "Use same sampler"}),
        ({"hr_scheduler": "Karras"}, {"hr_scheduler": "Use same scheduler"}),
        ({"hr_cfg": 2}, {"hr_cfg": 7}),
        ({"hr_prompt": "a tram <lora:bold:1>"}, {"hr_prompt": "a tram<lora:bold:0>"}),
        ({"hr_upscaler": "None"}, {"hr_upscaler": "Latent"}),
        ({"hr_upscaler": "Latent (bicubic antialiased)"}, {"hr_upscaler": "Latent"}),
    ],
)
async def test_a_second_pass_may_have_its_own(
    ask: Ask, own: dict[str, Any], repeated: dict[str, Any]
) -> None:
    plain = (await ask(**HR)).pixels
    changed = await ask(**HR, **own)

    assert same(plain, (await ask(**HR, **repeated)).pixels)
    assert not same(plain, changed.pixels)
    assert changed.progress[-1].step == changed.progress[-1].of == 8
    assert {one.step for one in changed.progress} >= set(range(1, 9))


async def test_smoothed_and_plain_ways_to_enlarge_latents_differ(ask: Ask) -> None:
    names = ("Latent (bicubic)", "Latent (bicubic antialiased)")
    plain, smooth = [(await ask(**HR, hr_upscaler=name)).pixels for name in names]

    assert not same(plain, smooth)


async def test_a_second_pass_may_have_its_own_checkpoint(
    ask: Ask, adapter: DiffusersAdapter
) -> None:
    plain = await ask(**HR, hr_upscaler="Lanczos")
    other = await ask(**HR, hr_upscaler="Lanczos", hr_checkpoint_name="tiny-xl", n_iter=2)
    text = other.images[0].info["parameters"]

    assert other.images[1].size == (48, 48)
    assert not same(plain.pixels, other.pixels[:1])
    assert "Hires checkpoint: tiny-xl" in text
    assert adapter.checkpoint == "tiny"
    assert same(plain.pixels, (await ask(**HR, hr_upscaler="Lanczos")).pixels)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"hr_checkpoint_name": "none such"}, "no checkpoint 'none such'"),
        ({"hr_checkpoint_name": "tiny-xl"}, "hr_upscaler: latents of tiny mean nothing to tiny-xl"),
        ({"hr_prompt": "a <lora:none:1>"}, "no LoRA 'none'"),
        ({"hr_sampler_name": "Magic"}, "hr_sampler_name: no 'Magic'"),
    ],
)
async def test_what_a_second_pass_cannot_have_is_told_before_the_first_one(
    adapter: DiffusersAdapter, content: dict[str, str], told: str
) -> None:
    one = task(**HR, **content)
    await adapter.load(one)
    with pytest.raises(TaskFailed, match=told):
        await anext(aiter(adapter.run(one, {})))
