"""Requests to the server: the client's fields, less those that were for the guide's agent."""

import base64
from typing import Any

import pytest

from deployments.adapter import RuntimeSpec
from deployments.runtimes.sdwebui import SdWebUiAdapter
from deployments.runtimes.sdwebui.request import request_of
from models.errors import TaskFailed
from models.task import Kind
from tests.runtimes.sdwebui.double import WebUi
from tests.runtimes.sdwebui.world import driving, png, task
from tests.runtimes.world import run

A, B = "https://example.com/a.png", "s3://bucket/b.png"
BYTES = {A: b"first", B: b"second"}
TEXT = {link: base64.b64encode(data).decode() for link, data in BYTES.items()}
OPTIONS = {"backend": {"url": "http://127.0.0.1:9"}}
ROUTING: dict[str, Any] = {
    "task": "text-to-image",
    "id_task": "t1",
    "uid": "u",
    "sd_model_checkpoint": "first.safetensors",
    "image_link": A,
    "save_dir": "outputs",
    "sd_vae": "None",
    "override_settings": {},
}


def test_routing_keys_are_stripped_and_the_rest_is_left() -> None:
    extension = {"args": [{"module": "canny", "weight": 0.5}]}
    one = task(alwayson_scripts=ROUTING | {"ControlNet": extension}, no_such_field={"x": 1})
    body = request_of(one, {}).body

    assert body["alwayson_scripts"] == {"ControlNet": extension}
    assert body["no_such_field"] == {"x": 1}
    assert (body["prompt"], body["steps"], body["seed"]) == ("a tram", 3, 1)
    assert "init_images" not in body


def test_base64_of_any_usual_form_reaches_the_server_in_the_one_that_it_reads() -> None:
    picture = b"\x89PNG\r\n\x1a\n" + b"\xfb\xef\xff" * 20 + b"!"
    whole = base64.b64encode(picture).decode()
    odd = base64.urlsafe_b64encode(picture).decode().rstrip("=")
    prefix = "data:image/x-png;base64,"
    one = task(
        Kind.IMAGE_TO_IMAGE,
        init_images=[odd, A],
        mask=prefix + odd,
        alwayson_scripts={"ControlNet": {"args": [{"input_image": odd, "model": "a_b-c"}]}},
    )
    body = request_of(one, BYTES).body

    assert body["init_images"] == [whole, TEXT[A]]
    assert body["mask"] == prefix + whole
    args = body["alwayson_scripts"]["ControlNet"]["args"]
    assert args == [{"input_image": whole, "model": "a_b-c"}]


def test_settings_in_alwayson_scripts_move_and_win() -> None:
    one = task(
        override_settings={"CLIP_stop_at_last_layers": 1, "eta_noise_seed_delta": 31337},
        alwayson_scripts={"override_settings": {"CLIP_stop_at_last_layers": 2}},
    )

    assert request_of(one, {}).body["override_settings"] == {
        "CLIP_stop_at_last_layers": 2,
        "eta_noise_seed_delta": 31337,
    }


def test_a_vae_among_the_routing_keys_is_the_setting() -> None:
    routed: dict[str, Any] = {"alwayson_scripts": {"sd_vae": "clear.pt"}}
    both = request_of(task(override_settings={"sd_vae": "own.pt"}, **routed), {})

    assert request_of(task(**routed), {}).body["override_settings"] == {"sd_vae": "clear.pt"}
    assert both.body["override_settings"] == {"sd_vae": "own.pt"}


def test_the_checkpoint_is_no_setting_of_one_request() -> None:
    """An unknown checkpoint fails: the server would silently draw with the current one."""
    one = task(override_settings={"sd_model_checkpoint": "first", "samples_format": "webp"})

    assert request_of(one, {}).body["override_settings"] == {"samples_format": "webp"}


def test_an_image_link_takes_the_place_of_init_images() -> None:
    one = task(Kind.IMAGE_TO_IMAGE, init_images=["x", "y"], alwayson_scripts={"image_link": A})

    assert request_of(one, BYTES).body["init_images"] == [TEXT[A]]


def test_links_become_what_they_led_to_and_prose_does_not() -> None:
    unit = {"image": B, "module": A}
    one = task(
        Kind.IMAGE_TO_IMAGE,
        prompt=A,
        init_images=[A, "aGVsbG8="],
        mask=B,
        alwayson_scripts={"ControlNet": {"args": [unit]}},
    )
    body = request_of(one, BYTES).body

    assert body["prompt"] == A
    assert body["init_images"] == [TEXT[A], "aGVsbG8="]
    assert body["mask"] == TEXT[B]
    assert body["alwayson_scripts"]["ControlNet"]["args"][0]["image"] == TEXT[B]


def test_a_link_with_blanks_or_capitals_is_never_passed_on() -> None:
    """The server would fetch it itself, past the guard."""
    links = ["HTTPS://example.com/a.png", "s3://bucket/in/my photo.png", " http://10.0.0.1/a b "]
    unit = {"image": links[1]}
    one = task(
        Kind.IMAGE_TO_IMAGE,
        init_images=[links[0]],
        mask=links[2],
        alwayson_scripts={"ControlNet": {"args": [unit]}},
    )
    adapter = SdWebUiAdapter(RuntimeSpec(name="web", options=OPTIONS))
    listed = list(adapter.links(one))

    assert sorted(listed) == sorted(links)
    assert "/" not in str(request_of(one, dict.fromkeys(listed, b"x")).body)


def test_pictures_of_the_content_are_named_by_their_fields() -> None:
    adapter = SdWebUiAdapter(RuntimeSpec(name="web", options=OPTIONS))
    one = task(Kind.IMAGE_TO_IMAGE, alwayson_scripts={"image_link": "AAAA"}, mask="BBBB")
    batch = task(Kind.EXTRA_BATCH_IMAGES, imageList=["AAAA", {"data": "BBBB"}])

    assert adapter.pictures(one) == {"AAAA": "init_images[0]", "BBBB": "mask"}
    assert adapter.pictures(batch) == {"AAAA": "imageList[0].data", "BBBB": "imageList[1].data"}


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (Kind.TEXT_TO_IMAGE, "/sdapi/v1/txt2img"),
        (Kind.IMAGE_TO_IMAGE, "/sdapi/v1/img2img"),
        (Kind.EXTRA_SINGLE_IMAGE, "/sdapi/v1/extra-single-image"),
        (Kind.EXTRA_BATCH_IMAGES, "/sdapi/v1/extra-batch-images"),
    ],
)
def test_each_kind_has_its_path(kind: Kind, path: str) -> None:
    assert request_of(task(kind), {}).path == path


def test_an_extra_request_is_passed_on_as_it_is() -> None:
    content = {"image": A, "upscaler_1": "Lanczos", "alwayson_scripts": ROUTING}
    body = request_of(task(Kind.EXTRA_SINGLE_IMAGE, **content), {A: b"first"}).body

    assert body["image"] == TEXT[A]
    assert body["upscaler_1"] == "Lanczos"


def test_pictures_of_a_batch_get_the_names_that_the_server_wants() -> None:
    images = [{"data": A}, {"data": B, "name": "mine.png"}, A]
    body = request_of(task(Kind.EXTRA_BATCH_IMAGES, imageList=images), BYTES).body

    assert body["imageList"] == [
        {"data": TEXT[A], "name": "1.png"},
        {"data": TEXT[B], "name": "mine.png"},
        {"data": TEXT[A], "name": "3.png"},
    ]


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"enable_hr": True}, ["Use same choices"]),
        ({"enable_hr": True, "hr_additional_modules": ["a"]}, ["a"]),
        ({}, None),
    ],
)
def test_forge_gets_the_field_without_which_it_fails(asked: dict[str, Any], sent: Any) -> None:
    assert request_of(task(**asked), {}).body.get("hr_additional_modules") == sent


@pytest.mark.parametrize(
    ("kind", "content", "told"),
    [
        (Kind.PIPELINE, {}, "'pipeline' is not supported"),
        ("no-such-kind", {}, "'no-such-kind' is not supported"),
        (Kind.TEXT_TO_IMAGE, {"alwayson_scripts": []}, "alwayson_scripts: must be an object"),
        (Kind.TEXT_TO_IMAGE, {"override_settings": 1}, "override_settings: must be an object"),
    ],
)
def test_what_is_no_request_is_told(kind: str, content: dict[str, Any], told: str) -> None:
    with pytest.raises(TaskFailed, match=told):
        request_of(task(kind, **content), {})


def test_links_that_are_not_used_are_not_fetched() -> None:
    adapter = SdWebUiAdapter(RuntimeSpec(name="web", options=OPTIONS))
    scripts = {"image_link": A, "ControlNet": {"args": [{"image": B}]}}

    assert adapter.links(task(alwayson_scripts=scripts)) == [B]
    assert adapter.links(
        task(Kind.IMAGE_TO_IMAGE, init_images=["https://x/"], alwayson_scripts=scripts)
    ) == [A, B]


async def test_the_guides_older_request_runs_as_it_is() -> None:
    web_ui = WebUi()
    older = {"alwayson_scripts": ROUTING, "s3_output_path": "bucket/outputs/t1"}
    async with driving(web_ui) as adapter:
        done = await run(adapter, task(Kind.IMAGE_TO_IMAGE, **older), {A: png()})
    posted = dict(web_ui.asked)["img2img"]

    assert len(done.pictures) == 1
    assert posted["init_images"] == [base64.b64encode(png()).decode()]
    assert posted["alwayson_scripts"] == {}
