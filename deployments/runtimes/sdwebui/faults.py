"""Fault behind the server's error: the task's, or the server's own.

A1111 answers ``{error, detail, body, errors}``, Forge ``{detail}`` or ``{error, …, message}``, both
pydantic's list of wrong fields; a proxy or a broken server answers text.
"""

from http import HTTPStatus
from typing import Any

import httpx

from deployments.device_fault import DeviceFault, fault_in
from deployments.runtimes.sdwebui.pictures import without_pictures
from models.errors import RuntimeUnavailable, TaskError, TaskFailed

_LONGEST = 500  # characters
_TRY_LATER = frozenset({408, 425, 429})
_SERVERS_EXCEPTIONS = frozenset(
    {
        *("OSError", "TimeoutError", "ConnectionError", "BrokenPipeError"),
        *("ConnectionAbortedError", "ConnectionRefusedError", "ConnectionResetError"),
    }
)
"""Exceptions of a server that lost its disk or a connection, whatever is asked of it."""
_LOST_CHECKPOINT = ("NoneType", "to be on the same device")
"""Words in the errors that a server without a model raises for every request."""


class OutOfMemory(RuntimeUnavailable):
    """The server's device is out of memory."""


class DeviceFailed(RuntimeUnavailable):
    """The server's device failed, and its process cannot use it any more."""


def refusal(answer: httpx.Response) -> TaskError:
    """Make the error that an answer with a status of 400 or more stands for."""
    body = _json(answer)
    why = _reason(body) or answer.text.strip()[:_LONGEST] or answer.reason_phrase
    message = f"the server answered {answer.status_code}: {why}"
    match fault_in(why):
        case DeviceFault.MEMORY:
            return OutOfMemory(message)
        case DeviceFault.DEVICE:
            return DeviceFailed(message)
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return RuntimeUnavailable(f"{message} (options.auth)")
    if _is_of_the_task(answer.status_code, body, why):
        return TaskFailed(message, reason=without_pictures(body) if body else why)
    return RuntimeUnavailable(message)


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _reason(body: Any) -> str:
    match body:
        case {"detail": list(fields)}:
            return "; ".join(_wrong_field(field) for field in fields)[:_LONGEST]
        case {"detail": str(detail)} if detail:
            return detail[:_LONGEST]
        case {"error": str(error)}:
            why = body.get("errors") or body.get("message") or ""
            return f"{error}: {why}".removesuffix(": ")[:_LONGEST]
    return ""


def _wrong_field(field: Any) -> str:
    match field:
        case {"loc": list(path), "msg": str(message)}:
            return f"{'.'.join(str(part) for part in path if part != 'body')}: {message}"
    return str(field)[:_LONGEST]


def _is_of_the_task(status: int, body: Any, why: str) -> bool:
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return status not in _TRY_LATER
    if status > HTTPStatus.INTERNAL_SERVER_ERROR or not isinstance(body, dict):
        return False
    # An answer that names no exception was raised on purpose, such as "Invalid encoded image". Any
    # other one but these would be raised again by the next server.
    is_lost = any(words in why for words in _LOST_CHECKPOINT)
    return body.get("error") not in _SERVERS_EXCEPTIONS and not is_lost
