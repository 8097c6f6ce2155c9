import io
from http import HTTPStatus

import httpx
import pytest
from PIL import Image, UnidentifiedImageError

from deployments.runtimes.sdwebui.faults import refusal
from models.errors import SettingsError, TaskFailed, Unavailable


def test_no_message_names_an_object_of_ours() -> None:
    with pytest.raises(UnidentifiedImageError) as raised:
        Image.open(io.BytesIO(b"no picture"))

    assert "<_io.BytesIO object at 0x" in str(raised.value)
    assert str(TaskFailed(f"init_images[0]: {raised.value}")) == (
        "init_images[0]: cannot identify image file"
    )


def test_nor_does_one_that_a_server_answered() -> None:
    said = {"error": "HTTPException", "errors": "cannot identify <_io.BytesIO object at 0x7f0>"}
    answer = httpx.Response(HTTPStatus.INTERNAL_SERVER_ERROR, json=said)

    assert str(refusal(answer)) == "the server answered 500: HTTPException: cannot identify"


def test_an_error_without_words_has_those_of_its_class() -> None:
    assert str(Unavailable()) == "A service that the platform stands on did not answer."
    assert str(SettingsError("a < b, at 0x10")) == "a < b, at 0x10"
