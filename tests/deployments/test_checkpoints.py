"""Weights files are found wherever the Web UI's requests name them."""

from typing import Any

import pytest
from hypothesis import given

from deployments.checkpoints import needed_files, requested_checkpoint
from models.task import Kind
from tests.deployments.inputs.test_fields import JSON

SETTINGS = "override_settings"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({}, None),
        ([], None),
        ({SETTINGS: {"sd_model_checkpoint": "a"}}, "a"),
        ({SETTINGS: {"sd_model_checkpoint": ""}}, None),
        ({"alwayson_scripts": {"sd_model_checkpoint": "b"}}, "b"),
        (
            {
                SETTINGS: {"sd_model_checkpoint": "a"},
                "alwayson_scripts": {SETTINGS: {"sd_model_checkpoint": "c"}},
            },
            "c",
        ),
    ],
)
def test_the_checkpoint_that_is_asked_for(content: Any, name: str | None) -> None:
    assert requested_checkpoint(content) == name


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"prompt": "a tram <lora:ink:0.8> at night <lyco:rain>"}, ["ink", "rain"]),
        ({"prompt": "<hypernet:old:1>", "negative_prompt": "<lora: ink :1>"}, ["old", "ink"]),
        ({"prompt": "<lora:ink:1> <lora:ink:0.5>"}, ["ink"]),
        ({"prompt": "a <b> (lora:ink:1)"}, []),
        ({"refiner_checkpoint": "refiner.safetensors"}, ["refiner.safetensors"]),
        ({"refiner_checkpoint": "None"}, []),
        ({SETTINGS: {"sd_vae": "clear.pt"}}, ["clear.pt"]),
        ({"alwayson_scripts": {"sd_vae": "clear.pt"}}, ["clear.pt"]),
        ({"alwayson_scripts": {SETTINGS: {"sd_vae": "clear.pt"}}}, ["clear.pt"]),
        ({SETTINGS: {"sd_lora": "ink", "sd_hypernetwork": "old"}}, ["ink", "old"]),
        ({SETTINGS: {"sd_lora": "None", "sd_hypernetwork": ""}}, []),
        ({SETTINGS: {"upscaler_for_img2img": "ESRGAN_4x"}}, []),
        ({"script_name": "SD upscale", "script_args": [None, 64, "ESRGAN_4x", 2]}, []),
        ({"prompt": "<lora: > <lora: :1> <lora:\t:1>"}, []),
        ({SETTINGS: {"sd_vae": "Automatic"}}, []),
        ({SETTINGS: {"forge_additional_modules": ["ae.sft", "t5.sft"]}}, ["ae.sft", "t5.sft"]),
        ({"hr_upscaler": "ESRGAN_4x", "hr_prompt": "<lora:ink:1>"}, []),
        ({"enable_hr": True, "hr_upscaler": "ESRGAN_4x"}, ["ESRGAN_4x"]),
        ({"enable_hr": True, "hr_upscaler": "Latent (bicubic)"}, []),
        ({"enable_hr": True, "hr_upscaler": "latent-sharp"}, ["latent-sharp"]),
        ({"prompt": "<lora:latent-glow:1> <lora:latent:1>"}, ["latent-glow", "latent"]),
        ({"enable_hr": "false", "hr_upscaler": "ESRGAN_4x"}, []),
        ({"enable_hr": "True", "hr_upscaler": "ESRGAN_4x"}, ["ESRGAN_4x"]),
        ({"enable_hr": True, "hr_checkpoint_name": "large [0a1b2c3d]"}, ["large [0a1b2c3d]"]),
        ({"enable_hr": True, "hr_checkpoint_name": "Use same checkpoint"}, []),
        ({"enable_hr": True, "hr_additional_modules": ["Use same choices"]}, []),
        ({"enable_hr": True, "hr_prompt": "<lora:ink:1>"}, ["ink"]),
    ],
)
def test_the_files_beside_the_checkpoint(content: Any, names: list[str]) -> None:
    assert needed_files(None, Kind.TEXT_TO_IMAGE, content) == names


@pytest.mark.parametrize("beginning", ["<lora:", "<lora:ink", "<lora:ink:"])
def test_a_long_run_of_blanks_is_passed_over_at_once(beginning: str) -> None:
    content = {"prompt": beginning + " " * 200_000, "negative_prompt": "<lora:ink>"}

    assert needed_files(None, Kind.TEXT_TO_IMAGE, content) == ["ink"]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({SETTINGS: {"upscaler_for_img2img": "ESRGAN_4x"}}, ["ESRGAN_4x"]),
        ({SETTINGS: {"upscaler_for_img2img": "None"}}, []),
        ({"script_name": "sd Upscale", "script_args": ["", 64, "ESRGAN_4x", 2]}, ["ESRGAN_4x"]),
        ({"script_name": "SD upscale", "script_args": ["", 64, 3, 2.0]}, []),
        ({"script_name": "SD upscale", "script_args": ["", 64]}, []),
        ({"script_name": "loopback", "script_args": ["", 64, "ESRGAN_4x", 2]}, []),
    ],
)
def test_image_to_image_needs_what_enlarges_its_picture(content: Any, names: list[str]) -> None:
    assert needed_files(None, Kind.IMAGE_TO_IMAGE, content) == names


def test_image_to_image_has_no_second_pass() -> None:
    second = {"hr_upscaler": "ESRGAN_4x", "hr_checkpoint_name": "large", "hr_prompt": "<lora:ink>"}

    assert needed_files(None, Kind.IMAGE_TO_IMAGE, {"enable_hr": True, **second}) == []


@pytest.mark.parametrize("extension", ["ControlNet", "controlnet"])
def test_a_controlnet_is_needed_unless_its_unit_is_off(extension: str) -> None:
    units = [{"model": "canny [d14c016b]"}, {"model": "depth", "enabled": False}, {"model": "None"}]
    content = {"alwayson_scripts": {extension: {"args": [*units, True]}}}

    assert needed_files(None, Kind.IMAGE_TO_IMAGE, content) == ["canny [d14c016b]"]


@pytest.mark.parametrize("kind", [Kind.EXTRA_SINGLE_IMAGE, "extra-batch-image"])
def test_an_enlargement_needs_its_upscalers_only(kind: str) -> None:
    content = {"upscaler_1": "R-ESRGAN 4x+", "upscaler_2": "Lanczos", "prompt": "<lora:ink:1>"}

    assert needed_files(None, kind, content) == ["R-ESRGAN 4x+"]


def test_the_checkpoint_comes_first_and_once() -> None:
    content = {"prompt": "<lora:ink:1>", "refiner_checkpoint": "base"}

    assert needed_files("base", Kind.TEXT_TO_IMAGE, content) == ["base", "ink"]


@given(JSON)
def test_whatever_a_content_is_it_has_names_or_none(content: Any) -> None:
    for kind in Kind:
        assert all(isinstance(name, str) for name in needed_files(None, kind, content))
