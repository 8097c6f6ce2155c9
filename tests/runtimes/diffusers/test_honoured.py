"""Fields and settings of the Web UI that change a picture: each does what it says."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from deployments.runtimes.diffusers.noise import Seeds
from deployments.runtimes.diffusers.styles import FILE
from models.errors import TaskFailed
from tests.runtimes.diffusers.conftest import Ask, Pixels, encoded, mask, noise, same

IMG = "image-to-image"


@pytest.mark.parametrize(
    ("sampler", "plain"),
    [
        ("Euler a", "Euler"),
        ("DPM2 a", "DPM2"),
        ("DPM++ 2M SDE", "DPM++ 2M Exponential"),
    ],
)
async def test_a_sampler_without_its_noise_is_the_plain_one(
    ask: Ask, sampler: str, plain: str
) -> None:
    noisy = (await ask(sampler_name=sampler, steps=5)).pixels
    still = (await ask(sampler_name=sampler, steps=5, eta=0)).pixels

    assert same(still, (await ask(sampler_name=plain, steps=5)).pixels)
    assert not same(still, noisy)


async def test_noise_of_a_sampler_has_any_strength(ask: Ask) -> None:
    strengths = (0, 0.5, 1)
    pictures = [(await ask(sampler_name="Euler a", eta=eta)).pixels for eta in strengths]
    by_setting = await ask(sampler_name="Euler a", override_settings={"eta_ancestral": 0.5})

    assert not same(pictures[0], pictures[1])
    assert not same(pictures[1], pictures[2])
    assert same(by_setting.pixels, pictures[1])


async def test_ddim_adds_noise_if_it_shall(ask: Ask) -> None:
    still, noisy = [(await ask(sampler_name="DDIM", eta=eta)).pixels for eta in (0, 1)]
    by_setting = await ask(sampler_name="DDIM", override_settings={"eta_ddim": 1})

    assert same(still, (await ask(sampler_name="DDIM")).pixels)
    assert not same(still, noisy)
    assert same(by_setting.pixels, noisy)


async def test_euler_adds_noise_between_its_steps(ask: Ask) -> None:
    plain = (await ask()).pixels
    churned = (await ask(s_churn=10)).pixels

    assert not same(plain, churned)
    assert same(plain, (await ask(s_churn=10, s_tmin=99)).pixels)
    assert not same(churned, (await ask(s_churn=10, s_noise=0.5)).pixels)
    assert same(churned, (await ask(override_settings={"s_churn": 10})).pixels)
    assert same(plain, (await ask(s_noise=0.5)).pixels)


@pytest.mark.parametrize("sampler", ["DPM++ SDE", "DPM++ 2M SDE"])
async def test_noise_of_an_sde_is_scaled(ask: Ask, sampler: str) -> None:
    plain, scaled = [(await ask(sampler_name=sampler, s_noise=s)).pixels for s in (1, 0.5)]

    assert not same(plain, scaled)


async def test_a_variation_goes_from_one_seed_to_the_other(ask: Ask) -> None:
    one, other = [(await ask(seed=seed)).pixels for seed in (7, 9)]
    none, half, whole = [
        (await ask(seed=7, subseed=9, subseed_strength=strength)).pixels for strength in (0, 0.5, 1)
    ]

    assert same(none, one)
    assert same(whole, other)
    assert not same(half, one)
    assert not same(half, other)


async def test_variations_of_a_batch_have_one_seed(ask: Ask) -> None:
    done = await ask(seed=7, subseed=9, subseed_strength=0.5, batch_size=2)
    second = await ask(seed=7, subseed=10, subseed_strength=0.5)
    info = json.loads(done.body["info"])

    assert info["all_seeds"] == [7, 7]
    assert info["all_subseeds"] == [9, 10]
    assert same(done.pixels[1:], second.pixels)
    assert "Variation seed: 10, Variation seed strength: 0.5" in info["infotexts"][1]


def test_noise_of_another_size_stands_in_the_middle() -> None:
    small, _ = Seeds(7).first((4, 6, 8))
    whole, _ = Seeds(7).first((4, 10, 10))
    larger, _ = Seeds(7, resized_from=(6, 8)).first((4, 10, 10))
    smaller, _ = Seeds(7, resized_from=(10, 10)).first((4, 6, 8))

    assert torch.equal(larger[..., 2:8, 1:9], small)
    assert torch.equal(larger[..., :2, :], whole[..., :2, :])
    assert torch.equal(smaller, whole[..., 2:8, 1:9])


async def test_noise_of_another_size_paints_another_picture(ask: Ask) -> None:
    resized = await ask(seed_resize_from_w=24, seed_resize_from_h=24)

    assert not same(resized.pixels, (await ask()).pixels)


def test_later_noise_may_have_a_seed_of_its_own() -> None:
    first, later = Seeds(7, delta=31337).first((4, 2, 2))
    plain, _ = Seeds(7).first((4, 2, 2))
    own = torch.Generator().manual_seed(7 + 31337)

    assert torch.equal(first, plain)
    assert torch.equal(torch.randn(3, generator=later), torch.randn(3, generator=own))


async def test_a_seed_delta_counts_where_noise_is_added(ask: Ask) -> None:
    delta = {"eta_noise_seed_delta": 31337}
    plain, ancestral = [(await ask(sampler_name=name)).pixels for name in ("Euler", "Euler a")]

    assert same(plain, (await ask(override_settings=delta)).pixels)
    moved = await ask(sampler_name="Euler a", override_settings=delta)
    assert not same(ancestral, moved.pixels)


async def test_clip_skip_may_be_a_field(ask: Ask) -> None:
    by_field = await ask(clip_skip=2)
    by_setting = await ask(override_settings={"CLIP_stop_at_last_layers": 2})

    assert (by_field.pixels == by_setting.pixels).all()
    assert "Clip skip: 2" in by_field.image.info["parameters"]


async def test_noise_of_image_to_image_is_multiplied(ask: Ask) -> None:
    init = {"init_images": [encoded(noise(32, 32))], "denoising_strength": 0.5}
    plain, more = [
        (await ask(IMG, initial_noise_multiplier=factor, **init)).pixels for factor in (1, 1.3)
    ]
    setting = {"initial_noise_multiplier": 1.3}

    assert same(plain, (await ask(IMG, **init)).pixels)
    assert not same(plain, more)
    assert same(more, (await ask(IMG, override_settings=setting, **init)).pixels)


async def test_a_feather_may_be_wider_in_one_direction(ask: Ask) -> None:
    area = encoded(mask(32, 32, (8, 8, 24, 24)))
    init = {"init_images": [encoded(noise(32, 32))], "mask": area, "inpaint_full_res": False}
    both, wide, high = [
        (await ask(IMG, **init, **blur)).pixels
        for blur in ({"mask_blur": 6}, {"mask_blur_x": 6, "mask_blur_y": 0}, {"mask_blur_y": 6})
    ]
    given = await ask(IMG, **init, mask_blur=6, mask_blur_x=0)

    assert not same(both, wide)
    assert not same(wide, high)
    assert same(both, given.pixels)


async def test_image_to_image_may_take_all_steps(ask: Ask) -> None:
    init = {"init_images": [encoded(noise(32, 32))], "denoising_strength": 0.5, "steps": 4}
    fewer = await ask(IMG, **init)
    whole = await ask(IMG, override_settings={"img2img_fix_steps": True}, **init)

    assert len(whole.progress) == len(fewer.progress) + 1
    assert not same(whole.pixels, fewer.pixels)


async def test_colours_are_brought_back_to_the_source(ask: Ask) -> None:
    image = Image.blend(noise(32, 32), Image.new("RGB", (32, 32), (200, 60, 30)), 0.8)
    init = {"init_images": [encoded(image)], "denoising_strength": 0.9}
    plain = (await ask(IMG, **init)).pixels[0]
    corrected = await ask(IMG, override_settings={"img2img_color_correction": True}, **init)
    brightness = np.array([0.3, 0.59, 0.11])

    def tint(pixels: Pixels) -> Any:
        return (pixels[..., 0] - pixels[..., 2]).mean()

    wanted = tint(np.asarray(image, np.int16))
    assert abs(tint(corrected.pixels[0]) - wanted) < abs(tint(plain) - wanted) / 2
    assert np.abs((corrected.pixels[0] - plain) @ brightness).mean() < 2


@pytest.mark.parametrize(
    ("name", "kind"), [("png", "PNG"), ("jpg", "JPEG"), ("jpeg", "JPEG"), ("webp", "WEBP")]
)
async def test_a_picture_has_the_format_that_is_asked_for(ask: Ask, name: str, kind: str) -> None:
    settings = {"samples_format": name, "jpeg_quality": 95}
    done = await ask(override_settings=settings)

    assert done.image.format == kind
    assert np.abs(done.pixels - (await ask()).pixels).mean() < 40
    if kind != "PNG":
        comment = done.image.getexif().get_ifd(0x8769)[0x9286]
        assert comment.removeprefix(b"UNICODE\0").decode("utf-16-be").startswith("a tram\nSteps: 3")


async def test_a_quality_is_kept_to(ask: Ask) -> None:
    sizes = [
        len((await ask(override_settings={"samples_format": "jpg", "jpeg_quality": q})).pictures[0])
        for q in (10, 95)
    ]
    lossless = {"samples_format": "webp", "webp_lossless": True}

    assert sizes[0] < sizes[1]
    assert ((await ask(override_settings=lossless)).pixels == (await ask()).pixels).all()


async def test_styles_of_the_file_stand_in_the_prompts(ask: Ask, folder: Path) -> None:
    rows = 'name,prompt,negative_prompt\nfilm,"grain, {prompt}",blur\ndark,"at night",\n'
    (folder / FILE).write_text(rows)
    styled = await ask(prompt="a tram", negative_prompt="rain", styles=["film", "dark", ""])
    written = await ask(prompt="grain, a tram, at night", negative_prompt="rain, blur")
    with pytest.raises(TaskFailed, match=r"styles: no 'noir' in styles.csv; there is: dark, film"):
        await ask(styles=["noir"])
    (folder / FILE).unlink()

    assert (styled.pixels == written.pixels).all()
    assert json.loads(styled.body["info"])["prompt"] == "grain, a tram, at night"
    with pytest.raises(TaskFailed, match="there is: nothing"):
        await ask(styles=["film"])


@pytest.mark.parametrize(
    ("edited", "plain"),
    [
        ("a [red:green:0] tram", "a green tram"),
        ("a [red:green:1.0] tram", "a red tram"),
        ("a [red:green:99] tram", "a red tram"),
        ("a [green:0] tram", "a green tram"),
        ("a [red:red:1] tram", "a red tram"),
        ("a red tram AND a green tram :0", "a red tram"),
    ],
)
async def test_an_edit_at_an_end_is_the_plain_prompt(ask: Ask, edited: str, plain: str) -> None:
    assert same((await ask(prompt=edited)).pixels, (await ask(prompt=plain)).pixels)


@pytest.mark.parametrize("edited", ["a [red:green:1] tram", "a [red|green] tram"])
async def test_an_edit_between_is_neither(ask: Ask, edited: str) -> None:
    usual: dict[str, Any] = {"steps": 20, "cfg_scale": 20}
    pictures = [
        (await ask(prompt=f"a {colour} tram", **usual)).pixels for colour in ("red", "green")
    ]
    between = (await ask(prompt=edited, **usual)).pixels
    negative = (await ask(prompt="a tram", negative_prompt=edited, **usual)).pixels

    assert not any(same(between, one) for one in (*pictures, negative))


async def test_parts_of_a_prompt_add_up(ask: Ask) -> None:
    double = await ask(prompt="a tram :2", cfg_scale=3.5)
    both = await ask(prompt="a tram AND a tram", cfg_scale=3.5)
    two = await ask(prompt="a red tram AND a green tram", cfg_scale=3.5)
    plain = await ask(prompt="a tram", cfg_scale=7)

    assert same(double.pixels, plain.pixels)
    assert same(both.pixels, plain.pixels)
    assert not same(two.pixels, (await ask(prompt="a red tram", cfg_scale=3.5)).pixels)


async def test_comments_in_prompts_are_dropped(ask: Ask) -> None:
    plain = (await ask(prompt="a tram", negative_prompt="rain")).pixels
    commented = await ask(prompt="a tram\n# a green heart", negative_prompt="# snow\nrain # hail")
    kept = {"enable_prompt_comments": False}
    text = await ask(prompt="a tram # heart", negative_prompt="rain", override_settings=kept)

    assert (commented.pixels == plain).all()
    assert "heart" not in commented.image.info["parameters"]
    assert (text.pixels != plain).any()
