"""Pictures in their order, and a ``.out`` in the shape that the guide's clients read."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from deployments.adapter import Answer, Artifact
from deployments.runtimes.sdwebui.answer import steps_of
from models.task import Kind
from tests.runtimes.sdwebui.double import WebUi
from tests.runtimes.sdwebui.world import driving, png, task
from tests.runtimes.world import Done, run

LINK = "https://example.com/a.png"
TEXT = base64.b64encode(png()).decode()


async def done(kind: str = Kind.TEXT_TO_IMAGE, **content: Any) -> Done:
    async with driving(WebUi()) as adapter:
        return await run(adapter, task(kind, **content), {LINK: png()})


async def test_the_answer_of_drawn_pictures() -> None:
    came = await done(seed=5, batch_size=2, n_iter=2)

    assert [artifact.data for artifact in came.body["images"]] == came.pictures
    assert len(set(came.pictures)) == 4
    parameters = came.body["parameters"]
    assert (parameters["id_task"], parameters["error_msg"]) == ("t1", "")
    assert parameters["image_seed"] == "5,6,7,8"
    assert parameters["prompt"] == "a tram"
    assert json.loads(came.body["info"])["all_seeds"] == [5, 6, 7, 8]


async def test_the_answer_of_an_enlarged_picture() -> None:
    came = await done(Kind.EXTRA_SINGLE_IMAGE, image=LINK, upscaler_1="Lanczos")

    assert len(came.pictures) == 1
    assert came.body["parameters"] == {
        "html_info": "<p>larger</p>",
        "id_task": "t1",
        "error_msg": "",
    }
    assert came.body["info"] == ""
    assert "image" not in came.body


async def test_the_answer_of_enlarged_pictures_keeps_their_order() -> None:
    blue = base64.b64encode(png("blue")).decode()
    came = await done(Kind.EXTRA_BATCH_IMAGES, imageList=[{"data": blue}, {"data": LINK}, blue])

    assert came.colours == [(0, 0, 255), (255, 0, 0), (0, 0, 255)]
    assert [artifact.data for artifact in came.body["images"]] == came.pictures


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
@pytest.mark.parametrize("written", [base64.b64encode, base64.encodebytes])
def test_a_picture_is_read_in_each_spelling_of_base64(
    prefix: str, written: Callable[[bytes], bytes]
) -> None:
    """Base64 comes in one line, or in lines as MIME has them."""
    artifact, _ = steps_of("t1", {"images": [prefix + written(png()).decode()]})

    assert isinstance(artifact, Artifact)
    assert artifact.data == png()


def test_pictures_in_the_echo_are_not_kept() -> None:
    unit = {"image": "iVBORw0KGgo" * 100, "module": "canny"}
    echo = {"prompt": "a tram " * 100, "alwayson_scripts": {"ControlNet": {"args": [unit]}}}
    (_, answer) = steps_of("t1", {"images": [TEXT], "parameters": echo, "info": "{}"})

    assert isinstance(answer, Answer)
    assert answer.body["parameters"]["prompt"] == echo["prompt"]
    kept = answer.body["parameters"]["alwayson_scripts"]["ControlNet"]["args"][0]
    assert kept == {"image": "", "module": "canny"}


@pytest.mark.parametrize("info", [None, "", "none", "[]", "{}"])
def test_a_finished_picture_is_kept_whatever_the_server_says_of_it(info: Any) -> None:
    picture, answer = steps_of("t1", {"images": [TEXT], "parameters": None, "info": info})

    assert isinstance(picture, Artifact)
    assert isinstance(answer, Answer)
    assert answer.body["parameters"]["image_seed"] == ""


def test_a_data_url_is_a_picture_too() -> None:
    picture, _ = steps_of("t1", {"image": f"data:image/png;base64,{TEXT}"})

    assert isinstance(picture, Artifact)
    assert picture.data == png()
