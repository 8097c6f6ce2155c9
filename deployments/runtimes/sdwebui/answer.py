"""Answer of the server: pictures, and the task's ``.out``."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from deployments.adapter import Answer, Artifact
from deployments.runtimes.sdwebui.pictures import decoded, without_pictures
from deployments.runtimes.sdwebui.server import read_json
from models.errors import RuntimeUnavailable, TaskFailed

_PICTURES = frozenset({"image", "images"})


def read_answer(content: bytes) -> Mapping[str, Any]:
    """Read the server's answer.

    Raises:
        RuntimeUnavailable: it is no answer of this API.
    """
    answer = read_json(content)
    if not isinstance(answer, dict):
        raise RuntimeUnavailable("the server's answer is no object")
    return answer


def info_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read the server's facts of its pictures, JSON in a string; empty if there are none."""
    try:
        info = json.loads(answer.get("info") or "{}")
    except ValueError:
        return {}
    return info if isinstance(info, dict) else {}


def steps_of(id_: str, answer: Mapping[str, Any]) -> Iterator[Artifact | Answer]:
    """Yield the pictures in the server's order, last the answer in the shape that clients know.

    Raises:
        TaskFailed: there is no picture.
        RuntimeUnavailable: a picture is broken.
    """
    artifacts = [Artifact(data=data) for data in _pictures(answer)]
    yield from artifacts
    rest = {key: value for key, value in answer.items() if key not in _PICTURES}
    parameters = _parameters(answer) | {"id_task": id_, "error_msg": ""}
    yield Answer(body={"info": "", **rest, "images": artifacts, "parameters": parameters})


def _pictures(answer: Mapping[str, Any]) -> list[bytes]:
    single = answer.get("image")
    images = [single] if single else answer.get("images")
    if not images:
        raise TaskFailed("the server gave no picture", reason=without_pictures(answer))
    try:
        return [decoded(image) for image in images]
    except ValueError as exc:
        raise RuntimeUnavailable(f"the server's picture is broken: {exc}") from exc


def _parameters(answer: Mapping[str, Any]) -> dict[str, Any]:
    if "parameters" not in answer:  # of an extra request
        return {"html_info": answer.get("html_info", "")}
    seeds = info_of(answer).get("all_seeds") or ()
    return {
        **without_pictures(answer["parameters"] or {}),
        "image_seed": ",".join(str(seed) for seed in seeds),
    }
