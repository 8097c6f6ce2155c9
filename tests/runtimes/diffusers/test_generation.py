"""Text-to-image and image-to-image through the adapter, on random weights."""

import base64
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
)
from PIL import Image

from deployments.runtimes.diffusers.pipeline import Pipeline
from models.errors import TaskFailed
from models.runtimes.diffusers.values import LATENT_UPSCALERS
from tests.runtimes.diffusers.conftest import Ask, conditions, encoded, mask, noise

IMG = "image-to-image"


async def test_a_picture_has_the_checkpoints_own_size(ask: Ask) -> None:
    assert (await ask()).image.size == (32, 32)


async def test_a_picture_has_the_size_that_is_asked_for(ask: Ask) -> None:
    assert (await ask(width=48, height=24)).image.size == (48, 24)


async def test_the_same_seed_paints_the_same_picture(ask: Ask) -> None:
    first, second, other = [(await ask(seed=seed)).artifacts[0].data for seed in (7, 7, 8)]

    assert first == second
    assert first != other


async def test_a_random_seed_is_the_submissions_own(ask: Ask) -> None:
    """A retry paints the picture that the first try would have painted."""
    first, second = [await ask(seed=-1) for _ in range(2)]

    assert first.artifacts[0].data == second.artifacts[0].data
    assert first.body["parameters"]["image_seed"] != "-1"


async def test_pictures_of_a_batch_have_seeds_in_a_row_and_are_those_painted_alone(
    ask: Ask,
) -> None:
    batch = await ask(seed=5, batch_size=2, n_iter=2, sampler_name="Euler a")
    alone = [(await ask(seed=seed, sampler_name="Euler a")).pixels[0] for seed in (5, 6, 7, 8)]

    assert np.abs(batch.pixels - np.stack(alone)).max() <= 1
    assert batch.body["parameters"]["image_seed"] == "5,6,7,8"


@pytest.mark.parametrize(
    ("name", "kind", "plain"),
    [
        ("Euler", EulerDiscreteScheduler, {"timestep_spacing": "linspace"}),
        ("DDIM", DDIMScheduler, {"clip_sample": False}),
        ("DPM++ 2M", DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
    ],
)
async def test_it_paints_what_the_stock_pipeline_paints(
    ask: Ask, folder: Path, name: str, kind: Any, plain: dict[str, Any]
) -> None:
    stock = StableDiffusionPipeline.from_pretrained(
        folder / "Stable-diffusion" / "tiny", safety_checker=None, local_files_only=True
    )
    stock.scheduler = kind.from_config(stock.scheduler.config, **plain)
    stock.set_progress_bar_config(disable=True)
    words = conditions(Pipeline("tiny", stock, torch.device("cpu")), "a tram", "rain")
    theirs = stock(
        prompt_embeds=words[0].words,
        negative_prompt_embeds=words[1].words,
        num_inference_steps=10,
        guidance_scale=7.0,
        width=32,
        height=32,
        generator=torch.Generator("cpu").manual_seed(3),
    ).images[0]
    ours = await ask(negative_prompt="rain", sampler_name=name, steps=10, seed=3)

    assert np.abs(ours.pixels[0] - np.asarray(theirs, np.int16)).max() <= 1


async def test_guidance_of_one_needs_no_negative_prompt(ask: Ask) -> None:
    first, second = [
        (await ask(cfg_scale=1, negative_prompt=text)).artifacts[0].data.partition(b"IDAT")[2]
        for text in ("", "rain")
    ]

    assert first == second


async def test_a_negative_prompt_and_a_weight_and_clip_skip_change_the_picture(ask: Ask) -> None:
    plain = (await ask()).pixels
    changed = [
        await ask(negative_prompt="rain"),
        await ask(prompt="a (tram:1.6)"),
        await ask(override_settings={"CLIP_stop_at_last_layers": 2}),
    ]

    assert all((one.pixels != plain).any() for one in changed)


async def test_sdxl_paints_too(ask: Ask) -> None:
    done = await ask(
        prompt="a (tram:1.3) " * 9,
        override_settings={"sd_model_checkpoint": "tiny-xl", "CLIP_stop_at_last_layers": 2},
        batch_size=2,
    )

    assert [image.size for image in done.images] == [(32, 32)] * 2
    assert json.loads(done.body["info"])["sd_model_name"] == "tiny-xl"


async def test_the_answer_is_the_web_uis(ask: Ask) -> None:
    done = await ask(prompt="a tram", negative_prompt="rain", seed=9, batch_size=2, width=24)
    info = json.loads(done.body["info"])
    text = done.images[1].info["parameters"]

    assert done.body["images"] == done.artifacts
    assert done.body["parameters"]["image_seed"] == "9,10"
    assert done.body["parameters"]["id_task"] == "t1"
    assert done.body["parameters"]["error_msg"] == ""
    assert done.body["parameters"]["prompt"] == "a tram"
    assert info["all_seeds"] == [9, 10]
    assert (info["width"], info["height"]) == (24, 32)
    assert info["sampler_name"] == "Euler"
    assert info["sd_model_name"] == "tiny"
    assert info["infotexts"][1] == text
    assert text.startswith("a tram\nNegative prompt: rain\nSteps: 3, Sampler: Euler,")
    assert "Seed: 10, Size: 24x32, Model: tiny" in text


async def test_progress_is_told_in_the_steps_asked_for(ask: Ask) -> None:
    done = await ask(steps=4, n_iter=2, sampler_name="Heun")

    assert [(one.step, one.of) for one in done.progress][-1] == (8, 8)
    assert [one.step for one in done.progress] == sorted({one.step for one in done.progress})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"width": 33}, "width: must be a multiple of 2, such as 32 or 34: 33"),
        ({"height": 1}, "height: must be a multiple of 2, such as 2: 1"),
        ({"width": 4096, "height": 4096}, "width: .*pixels allowed"),
        ({"batch_size": 3, "n_iter": 2}, "6 pictures .* are more than the 4 allowed"),
        ({"sampler_name": "Magic"}, "sampler_name: no 'Magic'"),
        ({"prompt": "a AND " * 8 + "b"}, "9 parts joined by AND"),
        ({"prompt": "<lora:none:1>"}, "no LoRA 'none'; there is: bold.safetensors"),
        ({"override_settings": {"CLIP_stop_at_last_layers": 4}}, "3 layers"),
        ({"enable_hr": True, "hr_upscaler": "LDSR"}, "hr_upscaler: no upscaler 'LDSR'"),
        ({"enable_hr": True, "hr_scale": 8, "width": 1024, "height": 1024}, "hr_scale: .*pixels"),
    ],
)
async def test_what_cannot_be_painted_is_told(
    ask: Ask, content: dict[str, object], told: str
) -> None:
    with pytest.raises(TaskFailed, match=told):
        await ask(**content)


@pytest.mark.parametrize("upscaler", ["Latent", "Lanczos", "4x-Random"])
async def test_a_second_pass_makes_a_larger_picture(ask: Ask, upscaler: str) -> None:
    done = await ask(enable_hr=True, hr_scale=1.5, hr_upscaler=upscaler, denoising_strength=0.5)

    assert done.image.size == (48, 48)
    assert done.progress[-1].step == done.progress[-1].of == 6


async def test_each_way_to_enlarge_latents_paints_its_own_picture(ask: Ask) -> None:
    hr: dict[str, Any] = {"enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.5}
    pixels = {name: (await ask(hr_upscaler=name, **hr)).pixels for name in LATENT_UPSCALERS}

    for one, other in combinations(("Latent", "Latent (bicubic)", "Latent (nearest)"), 2):
        assert (pixels[one] != pixels[other]).any()


async def test_a_stronger_change_moves_further_from_the_first_picture(ask: Ask) -> None:
    init = encoded(noise(32, 32))
    unmoved, little, far = [
        (await ask(IMG, init_images=[init], denoising_strength=strength, steps=8)).pixels
        for strength in (0, 0.2, 0.9)
    ]

    assert np.abs(little - unmoved).mean() < np.abs(far - unmoved).mean()


@pytest.mark.parametrize(
    "wrap", [str, lambda text: f"data:image/png;base64,{text}", lambda text: text + "\n"]
)
async def test_a_first_picture_may_be_base64_in_any_dress(ask: Ask, wrap: type[str]) -> None:
    assert (await ask(IMG, init_images=[wrap(encoded(noise(16, 16)))])).image.size == (16, 16)


async def test_a_first_picture_may_be_a_link(ask: Ask) -> None:
    link = "s3://bucket/a.png"
    data = encoded(noise(18, 12))
    by_link = await ask(IMG, {link: base64.b64decode(data)}, alwayson_scripts={"image_link": link})
    by_data = await ask(IMG, init_images=[data])

    assert (by_link.pixels == by_data.pixels).all()


async def test_a_first_pictures_size_is_rounded_to_what_the_checkpoint_can_do(ask: Ask) -> None:
    assert (await ask(IMG, init_images=[encoded(noise(31, 21))])).image.size == (32, 20)


@pytest.mark.parametrize("mode", [0, 1, 2])
async def test_a_first_picture_is_fitted(ask: Ask, mode: int) -> None:
    done = await ask(
        IMG, init_images=[encoded(noise(40, 20))], width=32, height=32, resize_mode=mode
    )

    assert done.image.size == (32, 32)


@pytest.mark.parametrize("fill", [0, 1, 2, 3])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("invert", [True, False])
async def test_pixels_outside_the_mask_stay_exactly(
    ask: Ask, fill: int, whole: bool, invert: bool
) -> None:
    init, area = noise(32, 32), mask(32, 32, (6, 8, 20, 22))
    done = await ask(
        IMG,
        init_images=[encoded(init)],
        mask=encoded(area),
        inpainting_fill=fill,
        inpaint_full_res=whole,
        inpainting_mask_invert=invert,
    )
    changed = (done.pixels[0] != np.asarray(init)).any(axis=-1)
    allowed = (np.asarray(area) > 0) != invert

    assert not changed[~allowed].any()
    assert changed[allowed].any()


async def test_a_masked_picture_keeps_its_own_size_when_only_the_part_is_painted(
    ask: Ask,
) -> None:
    done = await ask(
        IMG,
        init_images=[encoded(noise(60, 50))],
        mask=encoded(mask(60, 50, (30, 30, 40, 40))),
        width=32,
        height=32,
    )

    assert done.image.size == (60, 50)


async def test_a_second_pass_is_text_to_images_alone(ask: Ask) -> None:
    done = await ask(IMG, init_images=[encoded(noise(32, 32))], enable_hr=True)

    assert done.image.size == (32, 32)


async def test_each_picture_of_a_batch_may_have_a_first_one_of_its_own(ask: Ask) -> None:
    inits = [encoded(noise(32, 32, seed)) for seed in (1, 2)]
    both = await ask(IMG, init_images=inits, batch_size=2)
    second = await ask(IMG, init_images=inits[1:], seed=8)

    assert np.abs(both.pixels[1] - second.pixels[0]).max() <= 1


async def test_an_empty_mask_changes_nothing(ask: Ask) -> None:
    init = noise(32, 32)
    done = await ask(IMG, init_images=[encoded(init)], mask=encoded(Image.new("L", (32, 32))))

    assert (done.pixels[0] == np.asarray(init)).all()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, "init_images: one picture at least"),
        ({"init_images": ["x", "y", "z"]}, "init_images: 3 pictures for a batch_size of 1"),
        ({"init_images": ["aGVsbG8="]}, r"init_images\[0\]: it is not a picture"),
        ({"init_images": ["***"]}, r"init_images\[0\]: must be a picture as base64"),
        ({"init_images": ["https://example.com/a.png"]}, "a.png was not fetched"),
        ({"init_images": [encoded(noise(8, 8))], "mask": "aGVsbG8="}, "mask: it is not a picture"),
    ],
)
async def test_a_wrong_first_picture_is_told(
    ask: Ask, content: dict[str, object], told: str
) -> None:
    with pytest.raises(TaskFailed, match=told):
        await ask(IMG, **content)
