"""From a task to the Web UI's request: no routing keys, and pictures in place of links."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from deployments.inputs.fields import with_inputs
from deployments.runtimes.sdwebui.pictures import encoded
from deployments.runtimes.sdwebui.server import API
from models.errors import TaskFailed
from models.runtimes.content import Fault, refuse
from models.runtimes.webui import (
    NOT_AN_OBJECT,
    ROUTING,
    object_at,
    object_faults,
    settings_in,
)
from models.task import Kind, Task

PATHS = {
    Kind.TEXT_TO_IMAGE: f"{API}/txt2img",
    Kind.IMAGE_TO_IMAGE: f"{API}/img2img",
    Kind.EXTRA_SINGLE_IMAGE: f"{API}/extra-single-image",
    Kind.EXTRA_BATCH_IMAGES: f"{API}/extra-batch-images",
}
DRAWN = frozenset({Kind.TEXT_TO_IMAGE, Kind.IMAGE_TO_IMAGE})
"""Kinds that a checkpoint draws."""
_UNSAID = frozenset({"", "none", "automatic", "use same sampler", "use same scheduler"})


@dataclass(frozen=True)
class Request:
    """One generation, as the server is asked for it."""

    kind: Kind
    body: Mapping[str, Any]

    @property
    def path(self) -> str:
        return PATHS[self.kind]

    @property
    def sampler(self) -> str | None:
        """The field that names the sampler; None where the server may choose."""
        named = (key for key in ("sampler_name", "sampler_index") if self.says(key))
        return next(named, None) if self.kind in DRAWN else None

    def says(self, key: str) -> bool:
        """Whether a field names something of its own."""
        name = self.body.get(key)
        return isinstance(name, str) and name.lower() not in _UNSAID

    def having(self, **fields: Any) -> "Request":
        return replace(self, body={**self.body, **fields})


def request_of(task: Task, inputs: Mapping[str, bytes]) -> Request:
    """The request that a task's content is, with the bytes behind its links in it.

    Raises:
        TaskFailed: it is none.
    """
    kind = next((one for one in PATHS if one == task.kind), None)
    if kind is None:
        raise TaskFailed(f"tasktype: '{task.kind}' is not supported by this runtime")
    texts = {link: encoded(data) for link, data in inputs.items()}
    return Request(kind, with_inputs(bare(task), texts))


def bare(task: Task) -> dict[str, Any]:
    """The content without the guide's routing keys, and what they carry where the Web UI has it.

    Raises:
        TaskFailed: it is no object, or holds something else where an object must be.
    """
    content = task.content
    if not isinstance(content, dict):
        raise TaskFailed(str(Fault("", NOT_AN_OBJECT)))
    refuse(list(object_faults(content)))
    if task.kind == Kind.EXTRA_BATCH_IMAGES:
        return content | {"imageList": _named(content.get("imageList"))}
    return _drawn(content, task.kind) if task.kind in DRAWN else content


def _drawn(content: dict[str, Any], kind: str) -> dict[str, Any]:
    scripts = object_at(content, "alwayson_scripts")
    # The checkpoint is loaded before: the server would take an unknown name for the current one.
    settings = {k: v for k, v in settings_in(content).items() if k != "sd_model_checkpoint"}
    extensions = {name: script for name, script in scripts.items() if name not in ROUTING}
    changed: dict[str, Any] = {"alwayson_scripts": extensions, "override_settings": settings}
    if kind == Kind.IMAGE_TO_IMAGE and (link := scripts.get("image_link")):
        changed["init_images"] = [link]
    if content.get("enable_hr"):
        # Forge fails without this field: it looks for these words in it.
        changed["hr_additional_modules"] = content.get(
            "hr_additional_modules", ["Use same choices"]
        )
    return content | changed


def _named(images: Any) -> Any:
    """The list of pictures with a name each, which the server insists on."""
    if not isinstance(images, list):
        return images
    whole = [one if isinstance(one, dict) else {"data": one} for one in images]
    return [{"name": f"{number}.png", **one} for number, one in enumerate(whole, start=1)]
