"""Reading the Web UI's requests: what is honoured, tolerated and refused."""

from typing import Any

import pytest

from deployments.runtimes.diffusers.samplers import sampler_of
from models.errors import TaskFailed
from models.runtimes.diffusers.extras import ExtraBatch, ExtraSingle
from models.runtimes.diffusers.generation_requests import ImageToImage, TextToImage


def test_an_empty_request_has_the_web_uis_defaults() -> None:
    request = TextToImage.read({})

    assert (request.steps, request.cfg_scale, request.seed) == (50, 7.0, -1)
    assert sampler_of(request).name == "Euler"
    assert (request.width, request.height) == (None, None)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"steps": "many"}, r"steps: .*whole number.*'many'"),
        ({"steps": 0}, "steps: .*greater than or equal to 1"),
        ({"steps": 151}, "steps: .*150"),
        ({"cfg_scale": "x"}, "cfg_scale"),
        ({"prompt": 5}, "prompt: .*string"),
        ({"batch_size": "two"}, "batch_size"),
        ({"denoising_strength": 1.5}, "denoising_strength"),
        ({"override_settings": {"CLIP_stop_at_last_layers": 0}}, "CLIP_stop_at_last_layers"),
        ({"override_settings": []}, "override_settings: must be an object"),
        ({"override_settings": {"sd_vae": "other.safetensors"}}, "sd_vae"),
        ({"alwayson_scripts": {"sd_vae": "other.safetensors"}}, "sd_vae"),
        ({"alwayson_scripts": 1}, "alwayson_scripts: must be an object"),
        ({"alwayson_scripts": {"ControlNet": {"args": [{"model": "x"}]}}}, "'ControlNet'"),
        ({"alwayson_scripts": {"AnimateDiff": {"args": [True, 8]}}}, "'AnimateDiff'"),
        ({"restore_faces": True}, "restore_faces: True is not supported"),
        ({"tiling": True}, "tiling"),
        ({"script_name": "x/y plot"}, "script_name"),
        ({"refiner_checkpoint": "xl"}, "refiner_checkpoint"),
        ([], "content: must be an object"),
    ],
)
def test_what_is_wrong_is_named(content: Any, told: str) -> None:
    with pytest.raises(TaskFailed, match=told):
        TextToImage.read(content)


@pytest.mark.parametrize(
    "content",
    [
        {"styles": [], "tiling": False, "restore_faces": False, "script_name": None},
        {"override_settings": {"samples_format": "png", "sd_vae": "Automatic"}},
        {"alwayson_scripts": {}},
        {
            "alwayson_scripts": {
                "task": "text-to-image",
                "id_task": "1",
                "uid": "2",
                "save_dir": "x",
            }
        },
        {"alwayson_scripts": {"ControlNet": {"args": []}}},
        {"alwayson_scripts": {"ControlNet": {"args": [{"enabled": False, "model": "x"}]}}},
        {"sampler_name": None, "sampler_index": "Euler"},
        {"subseed": 5, "subseed_strength": 0},
    ],
)
def test_what_changes_nothing_is_tolerated(content: dict[str, Any]) -> None:
    assert sampler_of(TextToImage.read(content)).name == "Euler"


def test_numbers_may_be_written_as_text() -> None:
    assert TextToImage.read({"steps": "20", "cfg_scale": "5"}).steps == 20


def test_an_older_clients_sampler_index_counts() -> None:
    assert sampler_of(TextToImage.read({"sampler_index": "DDIM"})).name == "DDIM"


def test_settings_in_alwayson_scripts_win() -> None:
    request = TextToImage.read(
        {
            "override_settings": {"CLIP_stop_at_last_layers": 1, "sd_model_checkpoint": "a"},
            "alwayson_scripts": {"override_settings": {"CLIP_stop_at_last_layers": 2}},
        }
    )

    assert request.override_settings.CLIP_stop_at_last_layers == 2
    assert request.override_settings.sd_model_checkpoint == "a"


def test_image_link_takes_the_place_of_init_images() -> None:
    link = "https://example.com/a.png"
    request = ImageToImage.read({"init_images": ["x"], "alwayson_scripts": {"image_link": link}})

    assert request.init_images == (link,)


def test_pictures_are_never_echoed() -> None:
    request = ImageToImage.read({"init_images": ["aGVsbG8="], "mask": "aGVsbG8="})

    assert not {"init_images", "mask"} & set(request.echo)


def test_batch_images_may_be_bare() -> None:
    request = ExtraBatch.read({"images": ["a", "b"]})

    assert [one.data for one in request.imageList] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, "image: is missing"),
        ({"image": "x", "gfpgan_visibility": 0.5}, "gfpgan_visibility"),
        ({"image": "x", "codeformer_visibility": 1}, "codeformer_visibility"),
        ({"image": "x", "upscaling_resize": 0}, "upscaling_resize"),
    ],
)
def test_a_wrong_extra_request_is_named(content: dict[str, Any], told: str) -> None:
    with pytest.raises(TaskFailed, match=told):
        ExtraSingle.read(content)


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(TaskFailed, match="imageList"):
        ExtraBatch.read({"imageList": []})
