"""Fault behind an answer, in the words of A1111, Forge, pydantic and none of them."""

from typing import Any

import httpx
import pytest

from deployments.runtimes.sdwebui.faults import DeviceFailed, OutOfMemory, refusal
from models.errors import RuntimeUnavailable, TaskFailed
from tests.runtimes.sdwebui.double import WebUi
from tests.runtimes.sdwebui.world import driving, task
from tests.runtimes.world import run


def a1111(error: str, *, detail: str = "", errors: str = "") -> dict[str, str]:
    return {"error": error, "detail": detail, "body": "", "errors": errors}


def forge(error: str, message: str) -> dict[str, str]:
    return {"error": error, "detail": "", "body": "", "message": message}


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (404, {"detail": "Init image not found"}, "404: Init image not found"),
        (404, a1111("HTTPException", detail="Sampler not found"), "404: Sampler not found"),
        (400, {"detail": "Sampler not found"}, "400: Sampler not found"),
        (422, {"detail": "Script 'nope' not found"}, "422: Script 'nope' not found"),
        (500, {"detail": "Invalid encoded image"}, "500: Invalid encoded image"),
        (500, a1111("HTTPException", detail="Requests not allowed"), "Requests not allowed"),
        (500, forge("AssertionError", "could not find upscaler named x"), "AssertionError: could"),
        (500, a1111("NansException", errors="A tensor with all NaNs"), "NansException: A tensor"),
        (500, forge("RuntimeError", "mat1 and mat2 shapes cannot be multiplied"), "mat1 and mat2"),
        (500, a1111("SafetensorError", errors="HeaderTooLarge"), "SafetensorError: HeaderTooL"),
        (500, a1111("AttributeError", errors="'str' has no 'shape'"), "AttributeError: 'str'"),
        (
            422,
            {"detail": [{"loc": ["body", "steps"], "msg": "not an integer", "type": "x"}]},
            "422: steps: not an integer",
        ),
    ],
)
def test_the_tasks_fault_is_a_failure_in_the_servers_words(
    status: int, body: Any, told: str
) -> None:
    error = refusal(httpx.Response(status, json=body))

    assert isinstance(error, TaskFailed)
    assert told in str(error)
    assert error.reason == body


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"detail": "Incorrect username or password"}),
        (429, {"detail": "slow down"}),
        (502, {"detail": "x"}),
        (503, a1111("ValueError", errors="x")),
        (500, a1111("AttributeError", errors="'NoneType' object has no attribute 'lowvram'")),
        (500, forge("TypeError", "'NoneType' object is not iterable")),
        (500, forge("RuntimeError", "Expected all tensors to be on the same device")),
        (500, a1111("OSError", errors="[Errno 28] No space left on device")),
        (500, a1111("ConnectionResetError", errors="[Errno 104] Connection reset by peer")),
    ],
)
def test_a_sick_servers_answer_is_worth_another_try(status: int, body: Any) -> None:
    assert isinstance(refusal(httpx.Response(status, json=body)), RuntimeUnavailable)


def test_an_answer_that_is_no_json_is_a_sick_servers() -> None:
    error = refusal(httpx.Response(500, text="Internal Server Error"))

    assert isinstance(error, RuntimeUnavailable)
    assert "500: Internal Server Error" in str(error)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (a1111("OutOfMemoryError", errors="CUDA out of memory. Tried to allocate"), OutOfMemory),
        ({"error": "OutOfMemoryError"}, OutOfMemory),
        (forge("RuntimeError", "CUDA error: out of memory"), OutOfMemory),
        (forge("RuntimeError", "CUDA error: an illegal memory access"), DeviceFailed),
        (a1111("RuntimeError", errors="cuDNN error: CUDNN_STATUS_FAILED"), DeviceFailed),
    ],
)
def test_the_devices_faults_are_known(body: Any, kind: type[RuntimeUnavailable]) -> None:
    assert type(refusal(httpx.Response(500, json=body))) is kind


def test_a_picture_that_the_server_echoes_is_left_out_of_the_reason() -> None:
    field = {"loc": ["body", "init_images"], "msg": "wrong", "input": "iVBORw0KGgo" * 100}
    error = refusal(httpx.Response(422, json={"detail": [field]}))

    assert isinstance(error, TaskFailed)
    assert error.reason["detail"][0] == field | {"input": ""}


@pytest.mark.parametrize("flavour", ["a1111", "forge"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"steps": "many"}, "422: steps: value is not a valid integer"),
        ({"alwayson_scripts": {"nope": {}}}, "422: always on script nope not found"),
        ({"init_images": ["bm8="]}, "500: Invalid encoded image"),
    ],
)
async def test_both_servers_refusals_are_told(flavour: Any, content: Any, told: str) -> None:
    async with driving(WebUi(flavour=flavour)) as adapter:
        with pytest.raises(TaskFailed, match=told):
            await run(adapter, task(**content))

        assert (await run(adapter, task())).pictures
