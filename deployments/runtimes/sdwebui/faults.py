"""From what the server answered to whose fault it is: the task's, or its own.

A1111 answers ``{error, detail, body, errors}``, Forge ``{detail}`` or ``{error, …, message}``, both
pydantic's list of wrong fields; a proxy or a broken server answers text.
"""

from http import HTTPStatus
from typing import Any

import httpx

from deployments.runtimes.sdwebui.pictures import without_pictures
from models.errors import RuntimeUnavailable, TaskError, TaskFailed

_LONGEST = 500
_NO_MEMORY = ("outofmemoryerror", "out of memory", "not enough memory", "can't allocate memory")
_DEVICE = ("cuda error", "cudnn error", "cublas_status", "hip error", "device-side assert")
_NOT_NOW = frozenset({408, 425, 429})
# Exceptions that speak of the request. Not RuntimeError and AttributeError: a server that lost its
# checkpoint or its device raises them for any request.
_OF_THE_REQUEST = frozenset(
    {
        *("AssertionError", "Exception", "HTTPException", "IndexError", "KeyError"),
        *("NansException", "TypeError", "UnidentifiedImageError", "ValueError"),
    }
)
_WRONG_SHAPES = ("shapes cannot be multiplied", "size mismatch")
"""A LoRA or a ControlNet of another family than the checkpoint."""
_LOST_CHECKPOINT = "NoneType"


class OutOfMemory(RuntimeUnavailable):
    """The server's device is out of memory."""


class DeviceFailed(RuntimeUnavailable):
    """The server's device failed, and its process cannot use it any more."""


def refusal(answer: httpx.Response) -> TaskError:
    """The error that an answer of 400 and above stands for."""
    said = _json(answer)
    why = _told(said) or answer.text.strip()[:_LONGEST] or answer.reason_phrase
    message = f"the server answered {answer.status_code}: {why}"
    if any(sign in why.lower() for sign in _NO_MEMORY):
        return OutOfMemory(message)
    if any(sign in why.lower() for sign in _DEVICE):
        return DeviceFailed(message)
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return RuntimeUnavailable(f"{message} (options.auth)")
    if _is_of_the_task(answer.status_code, said, why):
        return TaskFailed(message, reason=without_pictures(said) if said else why)
    return RuntimeUnavailable(message)


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _told(said: Any) -> str:
    match said:
        case {"detail": list(fields)}:
            return "; ".join(_wrong_field(field) for field in fields)[:_LONGEST]
        case {"detail": str(detail)} if detail:
            return detail[:_LONGEST]
        case {"error": str(error)}:
            why = said.get("errors") or said.get("message") or ""
            return f"{error}: {why}".removesuffix(": ")[:_LONGEST]
    return ""


def _wrong_field(field: Any) -> str:
    match field:
        case {"loc": list(places), "msg": str(message)}:
            return f"{'.'.join(str(place) for place in places if place != 'body')}: {message}"
    return str(field)[:_LONGEST]


def _is_of_the_task(status: int, said: Any, why: str) -> bool:
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return status not in _NOT_NOW
    if status > HTTPStatus.INTERNAL_SERVER_ERROR or not isinstance(said, dict):
        return False
    if any(text in why for text in _WRONG_SHAPES):
        return True
    # An answer that names no exception was raised on purpose, such as "Invalid encoded image".
    error = said.get("error") or "HTTPException"
    return error in _OF_THE_REQUEST and _LOST_CHECKPOINT not in why
